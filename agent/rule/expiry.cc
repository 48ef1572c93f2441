#include "agent/rule/expiry.h"

#include <cmath>

#include "agent/rule/phrase.h"

namespace agent::rule {

namespace {

constexpr double kDay = 24 * 3600;

}  // namespace

void Expiry::left(const series::Sample& sample) {
  Certificate& certificate = certificates_[sample.key.cluster];
  certificate.left = sample.value;
  certificate.at = sample.at;
}

void Expiry::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  for (auto& [cluster, certificate] : certificates_) {
    const bool ends = rule_.enabled && certificate.left < rule_.days * kDay;
    if (ends && !certificate.latch.active()) {
      incident::Verdict& verdict = certificate.verdict = incident::Verdict();
      verdict.rule = rule_.name;
      verdict.type = rule_.type;
      verdict.scope.cluster = cluster;
      verdict.evidence = {{series::to_string({"certificate_seconds", cluster, "", "", ""}),
                           rule_.days * kDay, certificate.left, "seconds left"}};
      const std::string length = length_text(std::abs(certificate.left));
      verdict.sentence =
          "The TLS certificate of cluster " + cluster +
          (certificate.left < 0 ? " ended " + length + " ago." : " ends in " + length + ".");
    }
    certificate.latch.update(ends, ends, now, now, base::Duration(0));
    certificate.report(out);
  }
}

void Expiry::forget_silent(base::Instant before) {
  std::erase_if(certificates_, [&](const auto& entry) {
    return entry.second.at < before && !entry.second.latch.active();
  });
}

}  // namespace agent::rule
