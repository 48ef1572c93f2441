#include "cli/region/announce.h"

#include <boost/json/serialize.hpp>

namespace cli {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  if (!found || found->is_null()) return {};
  if (found->is_string()) return std::string(found->get_string());
  return json::serialize(*found);
}

const json::object& object_at(const json::object& object, std::string_view key) {
  static const json::object kEmpty;
  const json::value* found = object.if_contains(key);
  return found && found->is_object() ? found->get_object() : kEmpty;
}

std::vector<std::string> servers_of(const json::object& cache) {
  std::vector<std::string> servers;
  const json::value* found = cache.if_contains("servers");
  if (!found) return servers;
  if (found->is_array()) {
    for (const json::value& server : found->get_array()) {
      if (server.is_string()) servers.emplace_back(server.get_string());
    }
  } else if (found->is_string()) {
    std::string text(found->get_string());
    for (size_t comma; (comma = text.find(',')) != std::string::npos; text.erase(0, comma + 1)) {
      servers.push_back(text.substr(0, comma));
    }
    servers.push_back(text);
  }
  return servers;
}

std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::string incident_line(const json::object& incident) {
  return "incident " + text_at(incident, "id") + " " + text_at(incident, "state") + ": " +
         text_at(incident, "title");
}

std::string run_state(const json::object& run) {
  const std::string outcome = text_at(run, "outcome");
  const std::string state = text_at(run, "state");
  return outcome.empty() || outcome == "none" ? state : state + " (" + outcome + ")";
}

std::string run_line(const json::object& run) {
  const std::string incident = text_at(run, "incident");
  return "run " + text_at(run, "id") + " " + run_state(run) + ": runbook " +
         text_at(run, "runbook") + (incident.empty() ? "" : " for " + incident);
}

}  // namespace

std::string paste_line(const std::string& server, const std::string& username,
                       const std::string& password) {
  const size_t colon = server.rfind(':');
  const std::string device = "/dev/tcp/" + server.substr(0, colon) + "/" + server.substr(colon + 1);
  return "bash -c 'exec 3<>" + device +
         "; printf \"set %s 0 0 %d\\r\\n%s\\r\\nset hello 0 0 5\\r\\nworld\\r\\nget "
         "hello\\r\\nquit\\r\\n\" \"$0\" \"${#1}\" \"$1\" >&3; cat <&3' " +
         shell_quoted(username) + " " + shell_quoted(password);
}

std::string announcement(const json::object& region) {
  const json::object& urls = object_at(region, "urls");
  const json::object& cache = object_at(region, "cache");
  const auto servers = servers_of(cache);
  std::string out = "\nready\n\n";
  out += "  operator console  " + text_at(urls, "operator") + "\n";
  out += "  status page       " + text_at(urls, "status") + "\n";
  out += "\n  cache             " + text_at(cache, "id") + "\n";
  out += "  username          " + text_at(cache, "username") + "\n";
  out += "  password          " + text_at(cache, "password") + "\n";
  out += "  servers           " + joined(servers, ",") + "\n";
  const json::value* clusters = region.if_contains("clusters");
  if (clusters != nullptr && clusters->is_array()) {
    for (const json::value& cluster : clusters->get_array()) {
      if (!cluster.is_object()) continue;
      const std::string open = text_at(cluster.get_object(), "open");
      if (!open.empty()) out += "  no password       " + open + "\n";
    }
  }
  if (!servers.empty()) {
    out += "\nstore and read a value:\n\n  " +
           paste_line(servers[0], text_at(cache, "username"), text_at(cache, "password")) + "\n";
  }
  return out + "\nCtrl-C stops everything that was started here.\n";
}

std::vector<std::string> ChangeLines::update(const json::object& status) {
  std::vector<std::string> lines;
  std::map<std::string, std::string> now;
  const auto compare = [&](std::string_view key, auto state_of, auto line_of) {
    const json::value* list = status.if_contains(key);
    if (!list || !list->is_array()) return;
    for (const json::value& item : list->get_array()) {
      if (!item.is_object()) continue;
      const json::object& object = item.get_object();
      const std::string id = text_at(object, "id");
      const std::string state = state_of(object);
      now[id] = state;
      const auto before = states_.find(id);
      const bool old_news =
          before == states_.end() &&
          (text_at(object, "state") == "resolved" || text_at(object, "state") == "finished") &&
          states_.empty();
      if (old_news || (before != states_.end() && before->second == state)) continue;
      lines.push_back(line_of(object));
    }
  };
  compare(
      "incidents", [](const json::object& o) { return text_at(o, "state"); }, incident_line);
  compare("runs", run_state, run_line);
  now[""] = "seen";  // not empty any more: what is resolved from here on is news
  states_ = std::move(now);
  return lines;
}

}  // namespace cli
