// within(): an answer by a deadline, or nothing.
//
// The work is cancelled when the deadline passes; what it did by then is for the caller to find out.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "base/time/timers.h"

namespace agent::runbook {

template <class T>
boost::asio::awaitable<std::optional<T>> within(boost::asio::awaitable<T> work,
                                                base::Timers& timers, base::Instant deadline) {
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::awaitable<void> alarm = timers.wait_until(deadline);
  auto race = std::move(work) || std::move(alarm);
  std::variant<T, std::monostate> first = co_await std::move(race);
  if (first.index() == 1) co_return std::nullopt;
  co_return std::optional<T>(std::get<0>(std::move(first)));
}

}  // namespace agent::runbook
