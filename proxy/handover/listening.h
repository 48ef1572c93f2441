// Which listening sockets are handed over, in the order of their descriptors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/core/slots.h"

namespace proxy::handover {

enum class Door : uint8_t { kPlain, kTls, kOpen, kUnix };

struct Listening {
  Door door = Door::kPlain;
  base::CacheId open_cache = 0;  // kOpen
  std::string path;              // kUnix

  friend bool operator==(const Listening&, const Listening&) = default;
};

std::string to_json(const std::vector<Listening>& sockets);
base::Result<std::vector<Listening>> parse_listening(std::string_view text);

}  // namespace proxy::handover
