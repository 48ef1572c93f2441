// Reading a verb's arguments: a query string has only text, JSON has numbers and booleans; both do.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace agent::admin {

// Missing or null: nullopt. A number reads as its decimal text.
std::optional<std::string> text_argument(const boost::json::object& args, std::string_view name);
// kInvalid says the name, the value and what was expected. A list or an object is no text.
base::Result<std::string> required_text(const boost::json::object& args, std::string_view name);
base::Result<uint64_t> required_number(const boost::json::object& args, std::string_view name,
                                       uint64_t max);
base::Result<uint64_t> number_argument(const boost::json::object& args, std::string_view name,
                                       uint64_t fallback, uint64_t max);
base::Result<bool> boolean_argument(const boost::json::object& args, std::string_view name,
                                    bool fallback);
// Missing or null: empty.
base::Result<boost::json::object> object_argument(const boost::json::object& args,
                                                  std::string_view name);
base::Result<double> share_argument(const boost::json::object& args, std::string_view name,
                                    double fallback);

}  // namespace agent::admin
