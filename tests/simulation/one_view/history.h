// History: what clients did and saw, and whether one view can explain it.
//
// A key is a register that may lose its value at any time (a miss is always allowed) but must never
// show an overwritten one. A write without an acknowledgement takes effect at any later time, or
// never. An acknowledged flush is a write of nothing to every key of its cache.
//
// Idea: values are written once, so each read names its write. A write with its reads is a cluster;
// from the first end in it to the last beginning it must have been the register's value. Such spans
// of two writes must not overlap, and none may contain a whole acknowledged write or flush that was
// never read. That is exact (Gibbons & Korach 1997), and costs a sort.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace one_view {

struct Violation {
  std::string key;
  std::string what;
  std::vector<uint64_t> values;  // that it is about
};

// Times are stamps: no two are the same.
class History {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  void write_begins(const std::string& key, uint64_t value, uint64_t at);
  void write_ends(const std::string& key, uint64_t value, uint64_t at);
  void read(const std::string& key, uint64_t value, uint64_t begin, uint64_t end);
  // Of all `keys`; acknowledged.
  void flush(const std::vector<std::string>& keys, uint64_t begin, uint64_t end);

  std::optional<Violation> check() const;
  size_t reads() const { return reads_; }

 private:
  struct Cluster {
    uint64_t value = 0;  // 0: a flush
    std::string name() const;
    uint64_t begin = 0;
    uint64_t first_end = kNever;
    uint64_t last_begin = 0;
    bool is_span() const { return first_end < last_begin; }
  };
  struct Register {
    std::map<uint64_t, Cluster> writes;  // by value
    std::vector<Cluster> flushes;
    std::optional<std::string> unwritten;  // a value came that nobody wrote yet
  };
  static std::optional<Violation> check(const Register& each);

  std::map<std::string, Register> registers_;
  size_t reads_ = 0;
};

}  // namespace one_view
