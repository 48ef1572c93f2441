#include "tests/support/fake_dns.h"

#include "agent/dns/change.h"

namespace test {

using agent::dns::Change;
using agent::dns::Changed;
using agent::dns::NameState;
using agent::dns::ServerView;
using base::Error;
using base::ErrorCode;

NameState FakeDns::state(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? NameState() : found->second;
}

boost::asio::awaitable<base::Result<std::vector<ServerView>>> FakeDns::read(std::string name,
                                                                            base::Instant) {
  const auto normal = agent::dns::name_in_zone(name, zone_);
  if (!normal) co_return normal.error();
  std::vector<ServerView> views;
  base::Result<NameState> seen = state(*normal);
  if (away_) seen = Error(ErrorCode::kUnavailable, "the fake server is away");
  views.push_back({"fake", seen});
  co_return views;
}

boost::asio::awaitable<base::Result<Changed>> FakeDns::change(Change change, base::Instant) {
  const base::Result<Change> checked = agent::dns::check_change(std::move(change), zone_);
  if (!checked) co_return checked.error();
  if (away_) co_return Error(ErrorCode::kUnavailable, "the fake server is away");
  Fault fault = Fault::kNone;
  if (!faults_.empty()) {
    fault = faults_.front();
    faults_.pop_front();
  }
  if (fault == Fault::kNotDone) co_return Error(ErrorCode::kUnavailable, "not done");
  const bool happens = fault != Fault::kNotDoneUnknown;
  const NameState standing = state(checked->name);
  if (happens && !agent::dns::already_done(standing, *checked)) {
    if (auto same = agent::dns::compare(standing, *checked); !same) co_return same.error();
    names_[checked->name] = agent::dns::wanted_state(*checked);
    ++changes_;
  }
  if (fault != Fault::kNone) co_return Error(ErrorCode::kUnknown, "no answer came");
  Changed changed;
  changed.state = agent::dns::wanted_state(*checked);
  if (!behind_.empty()) changed.behind.push_back({behind_, "is at no generation: no records"});
  co_return changed;
}

boost::asio::awaitable<base::Result<>> FakeDns::check(base::Instant) {
  if (away_) co_return Error(ErrorCode::kUnavailable, "the fake server is away");
  co_return base::Done{};
}

}  // namespace test
