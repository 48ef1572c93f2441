// PageFiles: a request for the status page to a response, from the files of one folder.
//
// Files are read anew for every request: they are few and small, their writer replaces them whole,
// and a server without a cache cannot serve an old one.
#pragma once

#include <string>
#include <string_view>

#include "base/net/http.h"

namespace cli {

// Thread: any one. Owner: run_page_server.
class PageFiles {
 public:
  PageFiles(std::string folder, const base::Clock& clock)
      : folder_(std::move(folder)), clock_(clock) {}
  base::net::HttpResponse answer(const base::net::HttpRequest& request) const;

 private:
  std::string staleness_now() const;

  std::string folder_;
  const base::Clock& clock_;
};

std::string_view content_type_of(std::string_view path);

}  // namespace cli
