#include "tests/simulation/one_view/controller.h"

#include "tests/simulation/one_view/brain.h"

namespace one_view {

Controller::Controller(World& world, Disk disk)
    : process("agent"), world_(world), disk_(std::move(disk)) {
  brain_ = std::make_unique<Brain>(*this);
  brain_->resume();
}

Controller::~Controller() = default;

void Controller::kill() {
  if (!process.alive) return;
  world_.simulation.kill(process);
  brain_.reset();
}

void Controller::start() {
  if (process.alive) return;
  world_.simulation.start(process);
  brain_ = std::make_unique<Brain>(*this);
  brain_->resume();
}

void Controller::change(std::vector<uint32_t> weights, bool may_kill) {
  if (can_act()) brain_->change(std::move(weights), may_kill);
}

void Controller::flush(base::CacheId cache, Work done) {
  if (can_act()) brain_->flush(cache, std::move(done));
}

void Controller::proxy_changed(size_t proxy) {
  if (brain_) brain_->proxy_changed(proxy);
}

void Controller::backend_changed(size_t backend) {
  if (brain_) brain_->backend_changed(backend);
}

std::string Controller::state() const {
  const char* const phases[] = {"stable", "preparing", "fencing"};
  return std::string(phases[static_cast<size_t>(disk_.phase)]) + " committed " +
         std::to_string(disk_.committed->epoch) + " prepared " +
         std::to_string(disk_.prepared ? disk_.prepared->epoch : 0) + " flushes " +
         std::to_string(disk_.flush_sequence);
}

}  // namespace one_view
