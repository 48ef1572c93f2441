// SHA-256 as hex: pins runbook texts and chains audit entries.
#pragma once

#include <string>
#include <string_view>

namespace agent::runbook {

std::string sha256_hex(std::string_view bytes);

}  // namespace agent::runbook
