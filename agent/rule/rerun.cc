#include "agent/rule/rerun.h"

namespace agent::rule {

std::vector<VerdictChange> Changes::take(const std::vector<incident::Verdict>& verdicts,
                                         base::Instant at) {
  std::vector<VerdictChange> changes;
  std::map<Key, incident::Verdict> now;
  for (const incident::Verdict& verdict : verdicts) {
    if (verdict.active) now.emplace(Key(verdict.rule, verdict.type, verdict.scope), verdict);
  }
  for (const auto& [key, verdict] : active_) {
    if (!now.contains(key)) changes.push_back({false, at, verdict});
  }
  for (const auto& [key, verdict] : now) {
    if (!active_.contains(key)) changes.push_back({true, at, verdict});
  }
  active_ = std::move(now);
  return changes;
}

Rerun::Rerun(RuleSet rules)
    : rules_(std::move(rules)), detector_(std::make_unique<Detector>(rules_)) {}

void Rerun::begin(const std::string& learned) {
  has_begun_ = true;
  detector_ = std::make_unique<Detector>(rules_);
  if (learned.empty()) return;
  const auto restored = detector_->restore(learned, last_);
  if (!restored) problem_ = restored.error().context;
}

std::vector<VerdictChange> Rerun::apply(const series::Event& event) {
  if (const auto* sample = std::get_if<series::Sample>(&event)) {
    ++samples_;
    detector_->observe(*sample);
  } else if (const auto* tick = std::get_if<series::Tick>(&event)) {
    last_ = tick->at;
    verdicts_ = detector_->evaluate(tick->at);
    return changes_.take(verdicts_, tick->at);
  } else if (const auto* started = std::get_if<series::Started>(&event)) {
    begin(started->learned);
  } else if (const auto* checkpoint = std::get_if<series::Checkpoint>(&event)) {
    // Only where there is nothing before it: the detector goes on.
    if (!has_begun_) begin(checkpoint->learned);
  } else if (const auto* gone = std::get_if<series::Forgotten>(&event)) {
    detector_->forget({gone->cluster, gone->proxy, gone->backend, gone->client});
  } else if (const auto* dropped = std::get_if<series::Dropped>(&event)) {
    dropped_ += dropped->events;
  }
  return {};
}

}  // namespace agent::rule
