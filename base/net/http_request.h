// HttpRequestReader: bytes in, one HttpRequest out. Beast's parser does the grammar; this adds the
// bounds, the decoded target and the status with which a bad request is answered. No I/O, no throw.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/net/http.h"

namespace base::net {

inline constexpr size_t kMaxHttpHeader = 16u << 10;
inline constexpr size_t kMaxHttpBody = 1u << 20;

// Thread: one. Owner: a connection.
// Invariant: once done() or bad(), feed() takes no further bytes.
class HttpRequestReader {
 public:
  HttpRequestReader();
  ~HttpRequestReader();
  HttpRequestReader(HttpRequestReader&&) noexcept;
  HttpRequestReader& operator=(HttpRequestReader&&) noexcept;

  // Takes what belongs to this request off the front of `bytes`. Bytes of an unfinished header stay
  // in `bytes`: call again with more behind them.
  void feed(std::string& bytes);

  bool done() const;
  bool bad() const { return bad_status_ != 0; }
  int bad_status() const { return bad_status_; }  // 400, 413 or 431
  // True once: the client waits for "100 Continue" before it sends the body.
  bool wants_continue();
  bool keep_alive() const;
  // After done(). `peer` is left to the caller.
  HttpRequest take();

 private:
  struct Parser;
  void decode();
  std::unique_ptr<Parser> parser_;
  HttpRequest request_;
  size_t header_bytes_ = 0;  // that the parser has taken
  int bad_status_ = 0;
  bool decoded_ = false;
  bool continued_ = false;
};

}  // namespace base::net
