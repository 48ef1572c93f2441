#include "tests/simulation/one_view/backend.h"

#include <algorithm>

namespace one_view {

Reply Backend::serve(const Request& request) {
  Reply reply;
  const auto found = items_.find(request.key);
  const bool exists = found != items_.end();
  switch (request.kind) {
    case Request::Kind::kGet:
      reply.done = exists;
      if (exists) reply.value = found->second.value;
      if (exists) reply.cas = found->second.cas;
      return reply;
    case Request::Kind::kFlushAll:
      items_.clear();
      reply.done = true;
      return reply;
    case Request::Kind::kAdd:
      if (exists) return reply;
      break;
    case Request::Kind::kSwap:
      if (!exists || found->second.cas != request.cas) return reply;
      break;
    case Request::Kind::kSet:
      break;
  }
  items_[request.key] = {request.value, ++cas_};
  reply.done = true;
  return reply;
}

void Backend::kill(Simulation& simulation) {
  if (!process.alive) return;
  simulation.kill(process);
  for (const auto& weak : std::exchange(wires_, {})) {
    const auto wire = weak.lock();
    if (wire == nullptr) continue;
    if (simulation.chance().one_in(4)) wire->back_.clear();
    Reply reset;
    reset.reset = true;
    wire->answer(std::move(reset));
  }
}

void Backend::start(Simulation& simulation) {
  if (process.alive) return;
  items_.clear();
  cas_ = 0;
  simulation.start(process);
}

std::shared_ptr<Wire> Wire::connect(Simulation& simulation, Backend& backend, Process& owner,
                                    const Line& line, Taker taker) {
  if (!backend.process.alive) return nullptr;
  std::shared_ptr<Wire> wire(new Wire(simulation, backend, owner, line, std::move(taker)));
  std::erase_if(backend.wires_, [](const auto& weak) { return weak.expired(); });
  backend.wires_.push_back(wire);
  return wire;
}

Instant Wire::arrival(Instant& last) {
  last = std::max(last + 1ns, simulation_.now() + simulation_.latency(line_));
  return last;
}

void Wire::send(Request request) {
  there_.push_back(std::move(request));
  const Duration wait = arrival(last_there_) - simulation_.now();
  simulation_.after(wait, backend_.process, [wire = shared_from_this()] {
    const Request next = std::move(wire->there_.front());
    wire->there_.pop_front();
    wire->answer(wire->backend_.serve(next));
  });
}

void Wire::answer(Reply reply) {
  back_.push_back(std::move(reply));
  const Duration wait = arrival(last_back_) - simulation_.now();
  simulation_.after(wait, owner_, [wire = shared_from_this()] {
    if (wire->owner_.life != wire->owner_life_ || wire->closed_ || wire->back_.empty()) return;
    Reply next = std::move(wire->back_.front());
    wire->back_.pop_front();
    if (next.reset) wire->closed_ = true;
    wire->taker_(std::move(next));
  });
}

}  // namespace one_view
