// EventHub: one computation of `status` for everybody who looks.
//
// Idea: a sample (the status document and its text) is made once a second while somebody reads
// events, and at each growth of the change count (but at most every 100 ms). All event readers, the
// console and /metrics share it. While nobody looks only the rates of which sparklines are drawn are kept.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/web/history.h"
#include "agent/web/operator_api.h"
#include "base/core/result.h"
#include "base/life/life.h"
#include "base/net/http.h"
#include "base/time/timers.h"

namespace agent::web {

struct Sample {
  boost::json::value status;
  std::string text;  // the same, serialised
  base::Instant at;
};

// Thread: the control thread's. Owner: OperatorWeb. Call stop() before destruction.
class EventHub {
 public:
  static constexpr size_t kMaxReaders = 64;

  EventHub(boost::asio::any_io_executor executor, base::Timers& timers, OperatorApi& api);

  void start();
  boost::asio::awaitable<void> stop();

  // Whether one more reader may come.
  bool has_room() const { return readers_.size() < kMaxReaders; }
  // The reader gets the newest sample at once if there is a fresh one, and everything after it.
  void add(std::shared_ptr<base::net::EventStream> reader);
  size_t readers() const { return readers_.size(); }

  // The newest sample if it is fresh (under a second old and nothing has changed since), else a new
  // one; the verb's error if that fails.
  boost::asio::awaitable<base::Result<std::shared_ptr<const Sample>>> fresh();

  const History& history() const { return history_; }

 private:
  bool is_fresh() const;
  bool is_due() const;
  void keep_history();
  boost::asio::awaitable<void> sample_for_readers();
  boost::asio::awaitable<base::Result<>> take_sample();
  void send_to_all();

  // Constant after construction.
  const boost::asio::any_io_executor executor_;
  base::Timers& timers_;
  OperatorApi& api_;

  base::Gate gate_;
  std::vector<std::shared_ptr<base::net::EventStream>> readers_;
  bool sampling_ = false;                 // sample_for_readers() runs
  std::shared_ptr<const Sample> sample_;  // nullptr: none yet
  uint64_t sampled_change_ = 0;
  base::Instant asked_;  // when `status` was last called, whatever it answered
  History history_;
  std::unique_ptr<base::Alarm> next_point_;  // of the history
};

}  // namespace agent::web
