// FakeOperatorApi: an OperatorApi that answers what it was told to and remembers what it was asked.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/web/operator_api.h"

namespace test {

// Thread: one. Owner: the test. A verb without an answer is kNotFound.
class FakeOperatorApi final : public agent::web::OperatorApi {
 public:
  struct Call {
    std::string verb;
    boost::json::object args;
  };

  boost::asio::awaitable<base::Result<boost::json::value>> call(std::string verb,
                                                                boost::json::object args) override;
  uint64_t change_count() const override { return changes_; }
  std::vector<agent::web::ProxyRate> rates() const override { return rates_; }

  void answer(const std::string& verb, boost::json::value value);
  void fail(const std::string& verb, base::Error error);
  void change() { ++changes_; }
  void rate(agent::web::ProxyRate rate) { rates_.push_back(std::move(rate)); }

  const std::vector<Call>& calls() const { return calls_; }
  size_t count(const std::string& verb) const;

 private:
  std::map<std::string, base::Result<boost::json::value>> answers_;
  std::vector<Call> calls_;
  std::vector<agent::web::ProxyRate> rates_;
  uint64_t changes_ = 0;
};

// A region of two clusters in the shape of docs/api.md: amber has a dead proxy, an open incident and
// a run that waits for approval; birch is healthy.
boost::json::value sample_status();
boost::json::value sample_incident_document();  // incidents.show
boost::json::value sample_run_document();       // runs.show

}  // namespace test
