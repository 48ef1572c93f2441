// World: everything a worker needs to know to serve, as one set of immutable snapshots.
//
// The admin thread makes it and posts it to every worker; a worker swaps it in between two turns'
// requests. Its number tells a request in flight whether anything may have changed since it was sent.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/frontend/tls_context.h"
#include "proxy/ring/fence.h"
#include "proxy/ring/view.h"
#include "proxy/tenant/directory.h"

namespace proxy {

// What of proxy.yaml may change while running.
struct Settings {
  Timeouts timeouts;
  Limits limits;
  LoopPolicy loop;
  Samples samples;
  FailurePolicy on_backend_failure = FailurePolicy::kMiss;
  std::vector<Network> balancers;  // speak the PROXY protocol
  TlsContextPtr tls = nullptr;     // null without a TLS port
  uint32_t workers = 1;            // stays as it is

  static Settings of(const ProxyConfig& config, TlsContextPtr tls = nullptr) {
    return Settings{config.timeouts,
                    config.limits,
                    config.loop,
                    config.samples,
                    config.on_backend_failure,
                    config.proxy_protocol_from,
                    std::move(tls),
                    config.workers};
  }
};

struct World {
  std::shared_ptr<const ring::View> view;  // never null
  tenant::DirectoryPtr directory;          // never null
  Settings settings;

  // What this proxy has been told: records up to it are no news.
  ring::FenceRecord known() const {
    ring::FenceRecord record;
    record.epoch = view->known;
    record.flush_sequence = directory->flush_sequence();
    return record;
  }
};

// A client's flush_all on its way to the agent.
struct FlushRequest {
  base::CacheId cache = 0;
  std::string credential;
  int64_t delay_s = 0;
  std::function<void(std::string answer)> done;  // any thread; an answer of the text protocol
};

// Thread: any. Implemented by admin.
class FlushPort {
 public:
  virtual ~FlushPort() = default;
  virtual void request_flush(FlushRequest request) = 0;
};

}  // namespace proxy
