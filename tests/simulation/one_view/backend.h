// Backend: memcached as far as one view depends on it: a map, one queue per connection, and a
// process that can be stopped with requests in its sockets or be started again empty.
//
// Requests of one connection are served in order, those of several in any. A request that has reached
// the socket is served even when its sender has closed the connection or died. After a kill every
// connection is reset, with or without the replies that were still under way.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/one_view/simulation.h"

namespace one_view {

struct Request {
  enum class Kind { kGet, kSet, kAdd, kSwap, kFlushAll };
  Kind kind = Kind::kGet;
  std::string key;
  std::string value;
  uint64_t cas = 0;  // of kSwap
};

struct Reply {
  bool reset = false;  // the connection is gone: the last that comes
  bool done = false;   // found, stored, flushed
  std::string value;
  uint64_t cas = 0;
};

class Wire;

class Backend {
 public:
  explicit Backend(std::string id) : process(id) {}

  Process process;
  Reply serve(const Request& request);
  void kill(Simulation& simulation);
  void start(Simulation& simulation);
  // The record in the state in which a run begins.
  void preset(const std::string& key, const std::string& value) { items_[key] = {value, ++cas_}; }

 private:
  friend class Wire;
  struct Item {
    std::string value;
    uint64_t cas = 0;
  };
  std::map<std::string, Item> items_;
  uint64_t cas_ = 0;
  std::vector<std::weak_ptr<Wire>> wires_;
};

// One connection of a process to a backend.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  using Taker = std::function<void(Reply)>;
  // Null when nobody listens there. `taker` runs as events of `owner`.
  static std::shared_ptr<Wire> connect(Simulation& simulation, Backend& backend, Process& owner,
                                       const Line& line, Taker taker);
  void send(Request request);
  // The owner hears nothing more; what it sent is served all the same.
  void close() { closed_ = true; }

 private:
  friend class Backend;
  Wire(Simulation& simulation, Backend& backend, Process& owner, const Line& line, Taker taker)
      : simulation_(simulation),
        backend_(backend),
        owner_(owner),
        owner_life_(owner.life),
        line_(line),
        taker_(std::move(taker)) {}
  void answer(Reply reply);
  Instant arrival(Instant& last);

  Simulation& simulation_;
  Backend& backend_;
  Process& owner_;
  const uint64_t owner_life_;
  const Line& line_;
  Taker taker_;
  bool closed_ = false;
  std::deque<Request> there_;
  std::deque<Reply> back_;
  Instant last_there_;
  Instant last_back_;
};

}  // namespace one_view
