// Simulation: virtual time, chance from one seed, and processes that can be stopped between any two
// of their events.
//
// Idea: whatever a process does is an event that belongs to it. Events of a dead process (or of an
// earlier life) vanish; those of a stopped one wait until it is continued and then run in any order,
// as ready sockets do. What must stay in order (a connection, a worker's input) keeps a queue of its
// own, from which an event takes the oldest. The same seed gives the same run.
//
// What it leaves out: who the processes are (backend.h, proxy.h, controller.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/time/clock.h"

namespace one_view {

using base::Duration;
using base::Instant;
using namespace std::chrono_literals;

// SplitMix64: small, and good enough to choose with.
class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t count) { return next() % count; }
  bool one_in(uint64_t count) { return below(count) == 0; }
  Duration between(Duration least, Duration most) {
    return least +
           Duration(static_cast<int64_t>(below(static_cast<uint64_t>((most - least).count() + 1))));
  }

 private:
  uint64_t state_;
};

using Work = std::function<void()>;

struct Process {
  explicit Process(std::string n) : name(std::move(n)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string name;
  bool alive = true;
  bool stopped = false;
  uint64_t life = 1;          // counts its starts
  std::vector<Work> waiting;  // events that came while it was stopped
};

// A way between two parties: what is sent while it is blocked arrives afterwards.
struct Line {
  Instant blocked_until;
};

class Simulation {
 public:
  Simulation(uint64_t seed, bool tracing) : chance_(seed), tracing_(tracing) {}
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  Instant now() const { return now_; }
  Chance& chance() { return chance_; }
  // The order of what clients see: never the same twice.
  uint64_t stamp() { return ++stamps_; }

  void after(Duration wait, Work work);
  void after(Duration wait, Process& process, Work work);
  void run_until(Instant end);

  void stop(Process& process);
  void resume(Process& process);
  void kill(Process& process);
  void start(Process& process);

  // From a party to its neighbour: mostly fast, sometimes not.
  Duration latency();
  Duration latency(const Line& line);
  // How long a worker may serve on before it takes what was posted to it: until calm(), now and then
  // a second.
  Duration lag() { return !calm_ && chance_.one_in(10) ? chance_.between(1ms, 1s) : latency(); }
  void calm() { calm_ = true; }
  // From one line of a program to the next.
  Duration moment() { return chance_.between(1us, 20us); }

  bool tracing() const { return tracing_; }
  void tell(std::string line);
  const std::vector<std::string>& told() const { return told_; }

 private:
  struct Event {
    Instant at;
    uint64_t number = 0;
    Process* process = nullptr;  // nullptr: the world's
    uint64_t life = 0;
    Work work;
    friend bool operator<(const Event& a, const Event& b) {  // a heap has its greatest on top
      return a.at == b.at ? a.number > b.number : a.at > b.at;
    }
  };
  void push(Event event);

  Chance chance_;
  const bool tracing_;
  Instant now_{1'000'000'000};
  uint64_t numbers_ = 0;
  bool calm_ = false;
  uint64_t stamps_ = 0;
  std::vector<Event> events_;
  std::vector<std::string> told_;
};

}  // namespace one_view
