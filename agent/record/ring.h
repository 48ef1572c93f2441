// Ring: the recording's files, a bounded number of bytes of them.
//
// Idea: segments in files of their own, named by a number that only grows; when all together are
// too large the oldest goes. Nothing is ever rewritten, so a crash tears at most the last block of
// the newest file; a write that fails is taken back, and a file in which nothing is left goes.
// Files are readable by their owner alone: they name clients' addresses.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "base/time/clock.h"

namespace agent::record {

struct SegmentFile {
  std::string path;
  uint64_t number = 0;
  uint64_t bytes = 0;
  base::WallTime written;  // the last time
};
// The segments of a folder, the oldest first. kNotFound: no such folder.
base::Result<std::vector<SegmentFile>> list_segments(const std::string& folder);

// Thread: the disk's; one process writes a folder.
class Ring {
 public:
  Ring(std::string folder, uint64_t limit) : folder_(std::move(folder)), limit_(limit) {}

  // Bytes of the segment that is written; one is begun when `begins`, or none is open. After a
  // failure what follows is left out until one begins.
  base::Result<> append(std::string_view bytes, bool begins);

 private:
  base::Result<> open_folder();
  base::Result<> begin_segment();
  void make_room();
  void give_up(uint64_t whole);

  std::string folder_;
  uint64_t limit_;
  bool is_known_ = false;  // what is in the folder
  std::deque<SegmentFile> files_;
  uint64_t bytes_ = 0;
  base::net::UniqueFd file_;
};

}  // namespace agent::record
