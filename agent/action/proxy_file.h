// proxy.yaml as the provider writes it (docs/architecture.md, "proxy.yaml").
#pragma once

#include <string>

#include "agent/coord/region.h"
#include "base/core/slots.h"

namespace agent::action {

// `open_cache` 0: no open listener, whatever the ports say.
std::string proxy_file(const coord::RegionSpec& region, const coord::ClusterSpec& cluster,
                       const coord::ProxySpec& proxy, base::CacheId open_cache);
std::string proxy_file_path(const coord::RegionSpec& region, std::string_view proxy);

}  // namespace agent::action
