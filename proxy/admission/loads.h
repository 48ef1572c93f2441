// Loads: what one worker has in flight, for each credential and in all, and whether more may be.
//
// Idea: a limit is divided evenly among the workers, so that nothing here is shared and nothing is
// atomic. A connection does not count request by request: it says from time to time, once or twice per
// turn, how much it has in flight (settle), and is told how much more that may become (room).
// Without limits it says nothing, and all of this costs one branch per turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace proxy::admission {

struct Load {
  uint64_t requests = 0;
  uint64_t bytes = 0;
};

// What a worker knows of a credential whose connections count.
struct CredentialLoad {
  std::string user;
  uint64_t parts = 0;
  Load load;
};

// Thread: the worker's. Owner: the worker. Invariant: all_ is the sum of all parts, and each
// credential's load that of its parts.
class Loads {
 public:
  // A worker's share of a limit of bytes is never less: one request may be 1 MiB.
  static constexpr uint64_t kLeastBytes = 2 * 1048576;

  // What is counted for one connection. Give it back with leave().
  class Part {
   public:
    uint64_t requests() const { return counted_.requests; }

   private:
    friend class Loads;
    CredentialLoad* credential_ = nullptr;
    Load counted_;
  };

  struct Room {
    uint64_t requests = 0;  // how many more may be in flight
    bool is_short_of_bytes = false;
  };

  // Of all workers together. Zero: no limit.
  void set_limits(const Load& proxy, const Load& credential, uint32_t workers);
  bool is_on() const { return is_on_; }
  // From now on the connection, which is `user`'s, counts with `now`.
  void settle(Part& part, std::string_view user, const Load& now);
  // For a part that is settled.
  Room room(const Part& part) const;
  void leave(Part& part);

  const Load& all() const { return all_; }
  size_t credentials() const { return credentials_.size(); }

 private:
  static void limit(Room& room, const Load& load, const Load& most);

  bool is_on_ = false;
  // This worker's shares.
  Load most_all_, most_credential_;
  Load all_;
  std::map<std::string, CredentialLoad, std::less<>> credentials_;
};

}  // namespace proxy::admission
