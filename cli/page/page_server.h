// `mcguard page serve`: the small process that serves the status page and outlives its publisher.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace cli {

// Blocks until SIGINT or SIGTERM; the exit status. Without `port`, the one of D/agent.yaml, or 7481.
int run_page_server(const std::string& dir, std::optional<uint16_t> port,
                    const std::string& address);

}  // namespace cli
