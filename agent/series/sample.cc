#include "agent/series/sample.h"

namespace agent::series {

std::string to_string(const SeriesKey& key) {
  std::string text = key.name;
  char before = '{';
  const auto label = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    text += before;
    text += name;
    text += '=';
    text += value;
    before = ',';
  };
  label("cluster", key.cluster);
  label("proxy", key.proxy);
  label("backend", key.backend);
  label("client", key.client);
  if (before == ',') text += '}';
  return text;
}

}  // namespace agent::series
