// FakeDns: names in memory, with failures on demand; keeps to the contract of agent/dns/dns_switch.h
// (the shared suite runs against it).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "agent/dns/dns_switch.h"

namespace test {

// Thread: one. Owner: the test.
class FakeDns final : public agent::dns::DnsSwitch {
 public:
  enum class Fault { kNone, kNotDone, kDoneUnknown, kNotDoneUnknown };

  explicit FakeDns(std::string zone) : zone_(std::move(zone)) {}

  boost::asio::awaitable<base::Result<std::vector<agent::dns::ServerView>>> read(
      std::string name, base::Instant deadline) override;
  boost::asio::awaitable<base::Result<agent::dns::Changed>> change(agent::dns::Change change,
                                                                   base::Instant deadline) override;
  boost::asio::awaitable<base::Result<>> check(base::Instant deadline) override;

  // For the next changes, in order; afterwards they succeed again.
  void script(std::vector<Fault> faults) { faults_.assign(faults.begin(), faults.end()); }
  // While true nothing answers.
  void set_away(bool away) { away_ = away; }
  // Changes are done, and this server does not show them.
  void set_behind(std::string server) { behind_ = std::move(server); }

  agent::dns::NameState state(const std::string& name) const;
  int changes() const { return changes_; }

 private:
  const std::string zone_;
  std::map<std::string, agent::dns::NameState> names_;
  std::deque<Fault> faults_;
  std::string behind_;
  bool away_ = false;
  int changes_ = 0;
};

}  // namespace test
