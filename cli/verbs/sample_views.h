// How busy keys, busy clients and slow requests look as tables (base/samples/samples.h has the members).
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "cli/verbs/views.h"

namespace cli {

std::string busy_keys_view(const boost::json::object& answer, const View& view);
std::string busy_clients_view(const boost::json::object& answer, const View& view);
std::string slow_requests_view(const boost::json::object& answer, const View& view);

}  // namespace cli
