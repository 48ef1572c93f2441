// ReplyCounter: how many text replies a stream of bytes holds, and how they ended.
//
// A generator must cost less than what it measures, so this does not look at values: it reads lines,
// steps over data blocks by their length, and counts. One reply is a line that ends a command
// (END, STORED, DELETED, a number, an error …); VALUE lines and their data belong to the next END.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

// Thread: one. Owner: a session. Invariant: line_ is the unfinished line, without a newline.
class ReplyCounter {
 public:
  struct Counts {
    uint64_t replies = 0;
    uint64_t values = 0;  // hits
    uint64_t errors = 0;  // ERROR, CLIENT_ERROR, SERVER_ERROR; among the replies
  };

  // Takes the next bytes; what they complete.
  Counts take(std::string_view bytes);
  void reset();
  // The last error line seen, for people.
  const std::string& last_error() const { return last_error_; }

 private:
  void take_line(std::string_view line, Counts& counts);

  uint64_t skip_ = 0;  // bytes of a data block and its CR LF still to come
  std::string line_;
  std::string last_error_;
};

}  // namespace cli
