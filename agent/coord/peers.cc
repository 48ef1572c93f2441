#include "agent/coord/peers.h"

#include "agent/coord/fields.h"

namespace agent::coord {

base::Result<ProxyStatus> parse_proxy_status(const boost::json::value& value) {
  const boost::json::object* object = value.if_object();
  if (object == nullptr || text_field(*object, "id").empty()) {
    return base::Error(base::ErrorCode::kInvalid,
                       "the answer to status has another form than {id, instance, committed, …}",
                       base::Origin::kBackend);
  }
  ProxyStatus status;
  status.id = text_field(*object, "id");
  status.pid = static_cast<int64_t>(number_field(*object, "pid"));
  const boost::json::value* instance = object->if_contains("instance");
  if (instance != nullptr) {
    status.instance = instance->is_string() ? std::string(instance->get_string())
                                            : std::to_string(number_field(*object, "instance"));
  }
  status.committed = static_cast<base::Epoch>(number_field(*object, "committed"));
  status.prepared = static_cast<base::Epoch>(number_field(*object, "prepared"));
  status.config_generation = number_field(*object, "config_generation");
  status.flush_sequence = number_field(*object, "flush_sequence");
  status.completed_flush = number_field(*object, "completed_flush");
  status.fence = number_field(*object, "fence");
  status.connections = number_field(*object, "connections");
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
