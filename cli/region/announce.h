// What `mcguard up` says: when the region is ready, and whenever something of note changes.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

namespace cli {

// URLs, the cache with its credentials, and the line to paste. `region`: as region.json.
std::string announcement(const boost::json::object& region);

// A line for bash that stores and reads a value, with nothing but bash.
std::string paste_line(const std::string& server, const std::string& username,
                       const std::string& password);

// Compares one `status` with the next. Pure.
class ChangeLines {
 public:
  // One line per incident or run whose state is new.
  std::vector<std::string> update(const boost::json::object& status);

 private:
  std::map<std::string, std::string> states_;  // id -> state; bounded by what status lists
};

}  // namespace cli
