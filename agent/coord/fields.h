// Fields of JSON documents that this part reads: absent, or of another type, is empty or 0.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace agent::coord {

std::string text_field(const boost::json::object& object, std::string_view key);
uint64_t number_field(const boost::json::object& object,
                      std::string_view key);  // 0 when negative too

}  // namespace agent::coord
