// `mcguard forwarder`: a Forwarder controlled over a Unix socket.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

// Blocks until SIGINT or SIGTERM; the exit status.
int run_forwarder(const std::string& socket, uint64_t seed);

}  // namespace cli
