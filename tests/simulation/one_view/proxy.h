// SimProxy: a proxy as seen from one view: workers that send and judge, an admin that makes durable
// and installs, and what is on disk.
//
// The tables (ring.h), the compiled view (view.h), the fence (fence.h), the directory and the stored
// keys are the product's. What is modelled here is the order in which its edges use them:
// frontend/router.cc and backend/link.cc (send, judge, take a record, lose a link) and the control
// socket's verbs. Each of these steps is an event of its own wherever the process could be stopped.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/health/backoff.h"
#include "proxy/ring/fence.h"
#include "proxy/ring/ring.h"
#include "proxy/tenant/directory.h"
#include "tests/simulation/one_view/backend.h"
#include "tests/simulation/one_view/mutation.h"
#include "tests/simulation/one_view/tables.h"

namespace one_view {

inline constexpr size_t kMostBackends = 3;
inline constexpr size_t kWorkers = 2;

// A client's operation. Thread of events: passed along until it is answered or forgotten.
struct Operation {
  base::CacheId cache = 0;
  std::string key;
  base::Slot slot = 0;
  uint64_t value = 0;  // of a write; 0: a read
  // A read's value (0: a miss), or whether a write was stored. Called at most once.
  std::function<void(uint64_t found, bool stored)> answered;
};
using OperationPtr = std::shared_ptr<Operation>;

struct ProxyStatus {
  uint64_t instance = 0;
  base::Epoch committed = 0, prepared = 0;
  uint64_t flush_sequence = 0;
  uint64_t completed_flush = 0;
};

// A call on the control socket.
struct Call {
  enum class Verb { kStatus, kConfigure, kFlush, kComplete, kPrepare, kCommit, kAbort };
  Verb verb = Verb::kStatus;
  TablePtr table;
  base::Epoch epoch = 0;
  std::vector<proxy::tenant::Cache> caches;
  uint64_t sequence = 0;
  uint64_t completed = 0;
  std::function<void(bool accepted, ProxyStatus status)> answered;  // an event of the proxy
};

class SimProxy {
 public:
  SimProxy(Simulation& simulation, Tables& tables, const Mutation& mutation, std::string id,
           std::vector<Backend*> backends, TablePtr committed,
           proxy::tenant::DirectoryPtr directory);

  Process process;
  std::array<Line, kMostBackends> lines;  // to the backends

  void kill();
  void start();
  void take(size_t worker, OperationPtr operation);  // an event of the process
  void call(Call call);                              // likewise
  std::string state() const;

 private:
  struct Durable {
    TablePtr committed, prepared;
    base::Epoch known = 0;
    proxy::tenant::DirectoryPtr directory;
  };
  struct Pending {
    OperationPtr operation;  // null: a read of the fence record
    Instant sent;
    base::Generation generation = 0;
    base::Epoch since = 0;
    uint32_t world = 0;
    bool answered = false;
  };
  struct Received {
    Reply reply;
    Instant now;
  };
  struct Link {
    enum class State { kDown, kProbing, kUp };
    State state = State::kDown;
    std::shared_ptr<Wire> wire;
    proxy::ring::FenceWatch fence;
    std::deque<Pending> in_flight;
    std::deque<Received> received;
    proxy::health::Backoff backoff;
    Instant at;  // down: when to connect; probing: when to give up
    Instant next_fence;
  };
  struct Worker {
    size_t index = 0;
    Instant ticked, ticked_before;
    ViewPtr view;
    proxy::tenant::DirectoryPtr directory;
    uint32_t number = 1;
    uint64_t installed = 0;  // the number of the newest World it was posted
    proxy::ring::FenceRecord known, seen;
    std::array<Link, kMostBackends> links;
  };

  void begin();
  // Workers: router.cc and link.cc.
  void tick(Worker& worker);
  void install(Worker& worker, ViewPtr view, proxy::tenant::DirectoryPtr directory);
  void connect(Worker& worker, size_t backend);
  void ask_fence(Link& link);
  void receive(Worker& worker, size_t backend, Reply reply);
  void handle_one(Worker& worker, size_t backend);
  void lose(Link& link);
  bool may_answer(const Worker& worker, size_t backend, const Pending& pending, Instant now) const;
  bool still_stands(const Worker& worker, size_t backend, const Pending& pending) const;
  void answer(const OperationPtr& operation, uint64_t found, bool stored);
  proxy::ring::Hold check(const Worker& worker, const Link& link, Instant now) const;
  // Admin.
  void next_call();
  void write_and_install(Work change, Call call);
  void install_all(Work done);
  void check_installed();
  void finish(Call& call, bool accepted);
  ProxyStatus present() const;

  Simulation& simulation_;
  Tables& tables_;
  const Mutation& mutation_;
  const std::vector<Backend*> backends_;
  Durable disk_;
  proxy::ring::Ring ring_;
  proxy::tenant::DirectoryPtr directory_;
  std::array<Worker, kWorkers> workers_;
  std::deque<Call> calls_;
  bool calling_ = false;
  struct Publication {
    uint64_t number = 0;
    ProxyStatus status;
    Work done;
  };
  std::deque<Publication> publications_;  // posted, not installed everywhere
  uint64_t posted_ = 0;
  ProxyStatus confirmed_;
};

}  // namespace one_view
