#include "agent/coord/peers.h"

namespace agent::coord {
namespace {

uint64_t number(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code failed;
  const uint64_t result = value->to_number<uint64_t>(failed);
  return failed ? 0 : result;
}

std::string text(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

}  // namespace

base::Result<ProxyStatus> parse_proxy_status(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  if (object == nullptr || text(*object, "id").empty()) {
    return base::Error(base::ErrorCode::kInvalid,
                       "the answer to status has another form than {id, instance, committed, …}",
                       base::Origin::kBackend);
  }
  ProxyStatus status;
  status.id = text(*object, "id");
  status.pid = static_cast<int64_t>(number(*object, "pid"));
  const boost::json::value* instance = object->if_contains("instance");
  if (instance != nullptr) {
    status.instance = instance->is_string() ? std::string(instance->get_string())
                                            : std::to_string(number(*object, "instance"));
  }
  status.committed = static_cast<base::Epoch>(number(*object, "committed"));
  status.prepared = static_cast<base::Epoch>(number(*object, "prepared"));
  status.config_generation = number(*object, "config_generation");
  status.flush_sequence = number(*object, "flush_sequence");
  status.completed_flush = number(*object, "completed_flush");
  status.fence = number(*object, "fence");
  status.connections = number(*object, "connections");
  if (const auto* draining = object->if_contains("draining"); draining && draining->is_bool()) {
    status.draining = draining->get_bool();
  }
  if (const auto* fenced = object->if_contains("fenced_backends"); fenced && fenced->is_array()) {
    for (const boost::json::value& backend : fenced->get_array()) {
      if (backend.is_string()) status.fenced_backends.emplace_back(backend.get_string());
    }
  }
  return status;
}

}  // namespace agent::coord
