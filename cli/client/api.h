// Api: the operator API as the tool uses it: a method, a path, JSON each way, and the server's errors
// as Errors with what to do next.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/time/clock.h"
#include "cli/client/endpoint.h"

namespace cli {

// Thread: one; calls block. Owner: main.
class Api {
 public:
  explicit Api(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  base::Result<boost::json::value> get(const std::string& path) const;
  base::Result<boost::json::value> send(const std::string& method, const std::string& path,
                                        const boost::json::object& body) const;
  // Server-sent events until `event` returns false or the server goes away.
  using OnEvent = std::function<bool(std::string_view name, const std::string& data)>;
  base::Result<> events(const std::string& path, const OnEvent& event) const;
  const std::string& url() const { return endpoint_.url; }

 private:
  base::Result<boost::json::value> call(const std::string& method, const std::string& path,
                                        std::string body) const;
  Endpoint endpoint_;
};

// "a b/c" -> "a%20b%2Fc", for one part of a path or query.
std::string url_encoded(std::string_view text);

}  // namespace cli
