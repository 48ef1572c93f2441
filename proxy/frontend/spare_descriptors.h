// SpareDescriptors: descriptors kept back for the moment when there are no others, so that a client can
// still be accepted, told so and closed, instead of waiting in the kernel's queue with the loop turning
// round and round for it.
//
// All threads take descriptors from one table: one that is given up here may be somebody else's before
// it is used. So whoever accepts a client while some are missing puts them back first (refill()), with
// that client's own descriptor if there is no other.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

#include "base/net/fd.h"

namespace proxy {

// Thread: any. Owner: the process, whose table it is about.
class SpareDescriptors {
 public:
  static SpareDescriptors& of_process();

  // One for each listener.
  void grow();
  void shrink();

  // Not valid: there is none.
  base::net::UniqueFd take();
  // Closes what the descriptor refers to and keeps it, in one step.
  void put_back(base::net::UniqueFd fd);
  bool is_short() const { return is_short_.load(std::memory_order_relaxed); }
  // Whether there are as many as there should be, now.
  bool refill();

 private:
  SpareDescriptors();
  void note();

  const base::net::UniqueFd null_;  // what a spare one refers to
  std::mutex mutex_;
  size_t wanted_ = 0;
  std::vector<base::net::UniqueFd> fds_;  // at most wanted_
  std::atomic<bool> is_short_{false};
};

}  // namespace proxy
