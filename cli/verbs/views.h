// What the read verbs show as tables: JSON of the operator API in, text out. Pure functions; a member
// that is missing reads as empty, so that a newer or older agent is no reason to fail.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "base/time/clock.h"
#include "cli/output/terminal.h"

namespace cli {

struct View {
  Terminal terminal;
  base::WallTime now;
};

// The list below `key`, or the value itself when it is a list.
const boost::json::array& items_of(const boost::json::value& value, std::string_view key);

std::string status_view(const boost::json::object& status, const View& view);
std::string clusters_view(const boost::json::object& status, const View& view);
std::string cluster_view(const boost::json::object& cluster, const View& view);
std::string proxies_view(const boost::json::array& proxies, const View& view);
std::string backends_view(const boost::json::array& backends, const View& view);
// One object as "key  value" lines; what is nested as YAML below it.
std::string object_view(const boost::json::object& object, const View& view);

std::string incidents_view(const boost::json::array& incidents, const View& view);
std::string incident_view(const boost::json::object& incident, const View& view);

std::string caches_view(const boost::json::array& caches, const View& view);
std::string credentials_view(const boost::json::array& credentials, const View& view);
std::string connections_view(const boost::json::object& answer, const View& view);
std::string faults_view(const boost::json::array& faults, const View& view);

}  // namespace cli
