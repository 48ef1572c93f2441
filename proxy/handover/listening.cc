#include "proxy/handover/listening.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace proxy::handover {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> kDoors = {"plain", "tls", "open", "unix"};

}  // namespace

std::string to_json(const std::vector<Listening>& sockets) {
  json::array array;
  for (const Listening& socket : sockets) {
    const std::string_view door = kDoors[static_cast<size_t>(socket.door)];
    array.push_back(json::object{{"door", json::string_view(door.data(), door.size())},
                                 {"cache", socket.open_cache},
                                 {"path", socket.path}});
  }
  return json::serialize(array);
}

base::Result<std::vector<Listening>> parse_listening(std::string_view text) {
  const base::Error invalid(base::ErrorCode::kInvalid, "hand-over: not a list of sockets");
  json::error_code failed;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !value.is_array()) return invalid;
  std::vector<Listening> sockets;
  for (const json::value& each : value.get_array()) {
    const json::object* const object = each.if_object();
    const json::value* const door = object == nullptr ? nullptr : object->if_contains("door");
    const json::value* const cache = object == nullptr ? nullptr : object->if_contains("cache");
    const json::value* const path = object == nullptr ? nullptr : object->if_contains("path");
    if (door == nullptr || !door->is_string() || cache == nullptr || !cache->is_number() ||
        path == nullptr || !path->is_string()) {
      return invalid;
    }
    const std::string_view name(door->get_string().data(), door->get_string().size());
    const auto found = std::find(kDoors.begin(), kDoors.end(), name);
    if (found == kDoors.end()) return invalid;
    Listening socket;
    socket.door = static_cast<Door>(found - kDoors.begin());
    socket.open_cache = cache->to_number<base::CacheId>(failed);
    if (failed) return invalid;
    socket.path = std::string(path->get_string());
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

}  // namespace proxy::handover
