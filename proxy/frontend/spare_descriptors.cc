#include "proxy/frontend/spare_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace proxy {
namespace {

base::net::UniqueFd open_null() {
  return base::net::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

SpareDescriptors::SpareDescriptors() : null_(open_null()) {}

SpareDescriptors& SpareDescriptors::of_process() {
  static SpareDescriptors spares;
  return spares;
}

void SpareDescriptors::note() {
  is_short_.store(fds_.size() < wanted_, std::memory_order_relaxed);
}

void SpareDescriptors::grow() {
  {
    const std::lock_guard lock(mutex_);
    ++wanted_;
  }
  refill();
}

void SpareDescriptors::shrink() {
  const std::lock_guard lock(mutex_);
  --wanted_;
  if (fds_.size() > wanted_) fds_.pop_back();
  note();
}

base::net::UniqueFd SpareDescriptors::take() {
  const std::lock_guard lock(mutex_);
  if (fds_.empty()) return {};
  base::net::UniqueFd taken = std::move(fds_.back());
  fds_.pop_back();
  note();
  return taken;
}

void SpareDescriptors::put_back(base::net::UniqueFd fd) {
  if (::dup3(null_.get(), fd.get(), O_CLOEXEC) < 0) return;
  const std::lock_guard lock(mutex_);
  if (fds_.size() < wanted_) fds_.push_back(std::move(fd));
  note();
}

bool SpareDescriptors::refill() {
  const std::lock_guard lock(mutex_);
  while (fds_.size() < wanted_) {
    base::net::UniqueFd spare = open_null();
    if (!spare.valid()) break;
    fds_.push_back(std::move(spare));
  }
  note();
  return fds_.size() >= wanted_;
}

}  // namespace proxy
