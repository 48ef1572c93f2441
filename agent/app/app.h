// App: the agent, put together. Tests build the same App as main.
//
// Order of life: lock, files, store, tenants; processes adopted or started; coordinator, collector,
// watch, web, socket, page. Stop is the mirror. A stop of the agent alone (SIGTERM) leaves every
// process of the region running; region.stop ends them first.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "agent/coord/region.h"
#include "base/core/result.h"
#include "base/time/timers.h"

namespace agent::app {

struct AppOptions {
  std::string dir;  // absolute
};

// Thread: the one that calls run(). Owner: main or test.
class App {
 public:
  // Reads and checks everything, opens the store, takes the lock; starts nothing yet.
  // kInvalid: a file is wrong (file:line:column in the text).
  static base::Result<std::unique_ptr<App>> create(AppOptions options, coord::RegionSpec spec,
                                                   base::Clock& clock);
  // The files alone: rules, runbooks, policy; nothing is created or taken.
  static base::Result<> check(const coord::RegionSpec& spec);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Until stopped by a signal, region.stop or a failure at the start. The exit status.
  int run();

  struct Parts;  // parts.h

 private:
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace agent::app
