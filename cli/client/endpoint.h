// Which agent to talk to, and with what right.
#pragma once

#include <string>

#include "base/core/result.h"
#include "base/core/secret.h"

namespace cli {

// As on the command line. With `url` the directory is not looked at, but for nothing else.
struct EndpointOptions {
  std::string dir = ".mcguard";
  std::string url;
  std::string token_file;
};

struct Endpoint {
  std::string url;     // "http://127.0.0.1:7480", without a slash at the end
  base::Secret token;  // empty: reads only
};

// kUnavailable when no region runs in the directory, with what to do about it.
base::Result<Endpoint> find_endpoint(const EndpointOptions& options);

}  // namespace cli
