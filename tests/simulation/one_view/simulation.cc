#include "tests/simulation/one_view/simulation.h"

#include <algorithm>
#include <cstdio>

namespace one_view {

void Simulation::push(Event event) {
  event.at = std::max(event.at, now_);  // a deadline that has passed while its process was stopped
  event.number = ++numbers_;
  events_.push_back(std::move(event));
  std::push_heap(events_.begin(), events_.end());
}

void Simulation::after(Duration wait, Work work) {
  Event event;
  event.at = now_ + wait;
  event.work = std::move(work);
  push(std::move(event));
}

void Simulation::after(Duration wait, Process& process, Work work) {
  Event event;
  event.at = now_ + wait;
  event.process = &process;
  event.life = process.life;
  event.work = std::move(work);
  push(std::move(event));
}

void Simulation::run_until(Instant end) {
  while (!events_.empty() && events_.front().at <= end) {
    std::pop_heap(events_.begin(), events_.end());
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.at;
    Process* const process = event.process;
    if (process != nullptr) {
      if (!process->alive || process->life != event.life) continue;
      if (process->stopped) {
        process->waiting.push_back(std::move(event.work));
        continue;
      }
    }
    event.work();
  }
  now_ = end;
}

void Simulation::stop(Process& process) {
  if (!process.alive || process.stopped) return;
  process.stopped = true;
  tell("STOP " + process.name);
}

void Simulation::resume(Process& process) {
  if (!process.alive || !process.stopped) return;
  process.stopped = false;
  tell("CONT " + process.name);
  for (Work& work : std::exchange(process.waiting, {})) {
    after(chance_.between(1us, 300us), process, std::move(work));
  }
}

void Simulation::kill(Process& process) {
  if (!process.alive) return;
  process.alive = false;
  process.stopped = false;
  process.waiting.clear();
  tell("KILL " + process.name);
}

void Simulation::start(Process& process) {
  if (process.alive) return;
  process.alive = true;
  ++process.life;
  tell("START " + process.name);
}

Duration Simulation::latency() {
  const uint64_t kind = chance_.below(100);
  if (kind < 85) return chance_.between(20us, 300us);
  if (kind < 97) return chance_.between(300us, 5ms);
  return chance_.between(5ms, 60ms);
}

Duration Simulation::latency(const Line& line) {
  const Duration usual = latency();
  return line.blocked_until > now_ ? line.blocked_until - now_ + usual : usual;
}

void Simulation::tell(std::string line) {
  if (!tracing_) return;
  char time[32];
  std::snprintf(time, sizeof time, "%9.3f ms  ",
                static_cast<double>(now_.ns - 1'000'000'000) / 1e6);
  told_.push_back(time + std::move(line));
}

}  // namespace one_view
