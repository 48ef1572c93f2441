// The certificate that a region makes for its proxies' TLS ports when nobody has given it one.
//
// Self-made, P-256, for every proxy's address and "localhost": clients trust it by having the file.
// What stands in the region's directory is never replaced, so a certificate of one's own goes to the
// same two files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/coord/region.h"
#include "base/core/result.h"

namespace agent::action {

std::string certificate_path(const coord::RegionSpec& region);  // <dir>/tls.pem
std::string certificate_key_path(const coord::RegionSpec& region);

// When the certificate in the file ends, in seconds since 1970; nullopt: it cannot be read.
std::optional<int64_t> certificate_end(const std::string& path);

// Makes what is missing of the two; 0600 for the key.
base::Result<> ensure_certificate(const coord::RegionSpec& region);

}  // namespace agent::action
