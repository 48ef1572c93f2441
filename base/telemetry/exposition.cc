#include "base/telemetry/exposition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

namespace base::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
  char buffer[64];
  const double size = std::abs(number);
  const bool plain = size == 0 || (size >= 1e-6 && size < 1e15);  // as people write them: 0.0005
  const auto end =
      plain ? std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed)
            : std::to_chars(buffer, buffer + sizeof buffer, number);
  return std::string(buffer, end.ptr);
}

// OpenMetrics wants bounds as floats ("1.0"), so that every producer writes the same label.
std::string bound_text(double bound, ExpositionFormat format) {
  std::string text = number_text(bound);
  const bool integer = text.find_first_not_of("-0123456789") == std::string::npos;
  if (format == ExpositionFormat::kOpenMetrics && integer) text += ".0";
  return text;
}

// The length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

std::string escape(std::string_view text, bool quotes) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const std::string_view one = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0) {
      escaped += "\xef\xbf\xbd";
    } else if (one == "\n") {
      escaped += "\\n";
    } else if (one == "\\" || (quotes && one == "\"")) {
      escaped += '\\';
      escaped += one;
    } else {
      escaped += one;
    }
    text.remove_prefix(one.size());
  }
  return escaped;
}

std::string_view type_text(MetricType type, ExpositionFormat format) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Summary:
      return "summary";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Untyped:
      break;
  }
  return format == ExpositionFormat::kOpenMetrics ? "unknown" : "untyped";
}

// The base unit at the end of a name, which OpenMetrics states apart; empty: none.
std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"seconds", "bytes", "ratio"}) {
    if (name.size() > unit.size() && name.ends_with(unit) &&
        name[name.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return "";
}

std::string_view without_total(std::string_view name) {
  const bool total =
      name.size() > kTotal.size() && name.substr(name.size() - kTotal.size()) == kTotal;
  return total ? name.substr(0, name.size() - kTotal.size()) : name;
}

// Writes families to one text. Thread: one. Owner: expose().
class Writer {
 public:
  explicit Writer(ExpositionFormat format) : format_(format) {}

  void head(const MetricFamily& family) {
    const bool open_metrics = format_ == ExpositionFormat::kOpenMetrics;
    const bool counter = family.type == MetricType::Counter;
    name_ = std::string(counter && open_metrics ? without_total(family.name) : family.name);
    type_ = family.type;
    text_ += "# HELP " + name_ + " " + escape(family.help, open_metrics) + "\n";
    text_ += "# TYPE " + name_ + " ";
    text_ += type_text(type_, format_);
    text_ += '\n';
    const std::string_view unit = open_metrics ? unit_of(name_) : "";
    if (!unit.empty()) text_ += "# UNIT " + name_ + " " + std::string(unit) + "\n";
  }

  void metric(const ClientMetric& metric) {
    const bool open_metrics = format_ == ExpositionFormat::kOpenMetrics;
    switch (type_) {
      case MetricType::Counter:
        return sample(open_metrics ? kTotal : "", metric, metric.counter.value);
      case MetricType::Gauge:
        return sample("", metric, metric.gauge.value);
      case MetricType::Untyped:
        return sample("", metric, metric.untyped.value);
      case MetricType::Summary:
        return summary(metric);
      case MetricType::Histogram:
        return histogram(metric);
    }
  }

  std::string finish() && {
    if (format_ == ExpositionFormat::kOpenMetrics) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  void summary(const ClientMetric& metric) {
    for (const auto& [quantile, value] : metric.summary.quantile) {
      sample("", metric, value, "quantile", bound_text(quantile, format_));
    }
    sample("_sum", metric, metric.summary.sample_sum);
    sample("_count", metric, static_cast<double>(metric.summary.sample_count));
  }

  void histogram(const ClientMetric& metric) {
    const auto count = static_cast<double>(metric.histogram.sample_count);
    for (const auto& bucket : metric.histogram.bucket) {
      if (std::isinf(bucket.upper_bound)) continue;  // written below, in any case
      sample("_bucket", metric, static_cast<double>(bucket.cumulative_count), "le",
             bound_text(bucket.upper_bound, format_));
    }
    sample("_bucket", metric, count, "le", "+Inf");
    sample("_sum", metric, metric.histogram.sample_sum);
    sample("_count", metric, count);
  }

  void label(char before, std::string_view name, std::string_view value) {
    text_ += before;
    text_ += name;
    text_ += "=\"" + escape(value, true) + "\"";
  }

  void sample(std::string_view suffix, const ClientMetric& metric, double value,
              std::string_view extra_name = "", const std::string& extra_value = "") {
    text_ += name_;
    text_ += suffix;
    char before = '{';
    for (const auto& [name, text] : metric.label) {
      label(before, name, text);
      before = ',';
    }
    if (!extra_name.empty()) label(std::exchange(before, ','), extra_name, extra_value);
    if (before == ',') text_ += '}';
    text_ += ' ' + number_text(value);
    if (metric.timestamp_ms != 0) timestamp(metric.timestamp_ms);
    text_ += '\n';
  }

  void timestamp(int64_t ms) {
    text_ += ' ';
    if (format_ == ExpositionFormat::kText004) {
      text_ += std::to_string(ms);
    } else {
      text_ += number_text(static_cast<double>(ms) / 1000);
    }
  }

  const ExpositionFormat format_;
  std::string text_;
  std::string name_;
  MetricType type_ = MetricType::Untyped;
};

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// What comes before the next `separator`, trimmed; takes it from `text`.
std::string_view next_part(std::string_view& text, char separator) {
  const size_t at = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return trim(part);
}

// Media types and the names of their parameters ignore case.
std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

double quality_of(std::string_view parameter) {
  const std::string_view text = parameter.substr(2);
  double quality = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), quality);
  return result.ec == std::errc() && quality >= 0 && quality <= 1 ? quality : 0;
}

}  // namespace

ExpositionFormat negotiate(std::string_view header) {
  const std::string lower = lower_case(header);
  std::string_view accept_header = lower;
  double open_metrics = 0, plain = 0;
  while (!accept_header.empty()) {
    std::string_view item = next_part(accept_header, ',');
    const std::string_view type = next_part(item, ';');
    double quality = 1;
    bool known_version = true;
    while (!item.empty()) {
      const std::string_view parameter = next_part(item, ';');
      if (parameter.substr(0, 2) == "q=") quality = quality_of(parameter);
      if (parameter.substr(0, 8) == "version=") {
        known_version = parameter == "version=1.0.0" || parameter == "version=0.0.1";
      }
    }
    if (type == "application/openmetrics-text" && known_version) {
      open_metrics = std::max(open_metrics, quality);
    }
    if (type == "text/plain" || type == "text/*" || type == "*/*") {
      plain = std::max(plain, quality);
    }
  }
  return open_metrics > 0 && open_metrics >= plain ? ExpositionFormat::kOpenMetrics
                                                   : ExpositionFormat::kText004;
}

std::string_view content_type(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const std::vector<MetricFamily>& families, ExpositionFormat format) {
  std::map<std::string_view, std::vector<const MetricFamily*>> by_name;
  for (const MetricFamily& family : families) by_name[family.name].push_back(&family);
  Writer writer(format);
  for (const MetricFamily& family : families) {
    const auto& same = by_name[family.name];
    if (same.front() != &family) continue;
    writer.head(family);
    for (const MetricFamily* part : same) {
      for (const ClientMetric& metric : part->metric) writer.metric(metric);
    }
  }
  return std::move(writer).finish();
}

FamilyBuilder::FamilyBuilder(std::string name, std::string help, MetricType type) {
  family_.name = std::move(name);
  family_.help = std::move(help);
  family_.type = type;
}

FamilyBuilder& FamilyBuilder::add(Labels labels, double value) {
  ClientMetric metric;
  for (auto& [name, text] : labels) metric.label.push_back({std::move(name), std::move(text)});
  if (family_.type == MetricType::Counter) metric.counter.value = value;
  if (family_.type == MetricType::Gauge) metric.gauge.value = value;
  if (family_.type == MetricType::Untyped) metric.untyped.value = value;
  family_.metric.push_back(std::move(metric));
  return *this;
}

FamilyBuilder& FamilyBuilder::add_histogram(Labels labels,
                                            const std::vector<std::pair<double, uint64_t>>& buckets,
                                            uint64_t count, double sum_seconds) {
  ClientMetric metric;
  for (auto& [name, text] : labels) metric.label.push_back({std::move(name), std::move(text)});
  for (const auto& [bound, cumulative] : buckets) {
    metric.histogram.bucket.push_back({cumulative, bound});
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = sum_seconds;
  family_.metric.push_back(std::move(metric));
  return *this;
}

MetricFamily FamilyBuilder::build() {
  return std::move(family_);
}

}  // namespace base::telemetry
