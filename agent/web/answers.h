// Ready-made HTTP answers: JSON, errors, pages, assets. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/net/http.h"

namespace agent::web {

base::net::HttpResponse json_answer(int status, const boost::json::value& value);
// {"error":{"code":…,"context":…}}
base::net::HttpResponse error_answer(int status, std::string_view code, std::string_view context);
base::net::HttpResponse text_answer(int status, std::string text);
// With a content security policy that allows this origin's own style and script and nothing else.
base::net::HttpResponse page_answer(int status, std::string html);
// A file that is part of the program: revalidated by ETag.
base::net::HttpResponse asset_answer(std::string_view content, std::string content_type);

// What a request may say about itself: query, then body, then path, the later winning. kInvalid
// unless the body is empty or a JSON object.
base::Result<boost::json::object> arguments_of(const base::net::HttpRequest& request,
                                               const boost::json::object& from_path);

}  // namespace agent::web
