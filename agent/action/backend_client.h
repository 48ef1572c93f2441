// BackendClient: one kept connection to each memcached of the region, straight, never through the
// forwarder, so that what it sees is the backend and not the link.
//
// Calls to one backend take turns. Whatever does not end in a complete answer within its time
// closes the connection, since an answer that comes late would be taken for the next one's.
// Reconnecting costs one attempt per call and nothing in between.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/coord/peers.h"
#include "agent/coord/region.h"
#include "base/time/timers.h"

namespace agent::action {

// Thread: the control thread's. Owner: app.
class BackendClient final : public coord::BackendControl {
 public:
  BackendClient(boost::asio::any_io_executor executor, const coord::Region& region,
                base::Timers& timers);
  ~BackendClient() override;

  boost::asio::awaitable<base::Result<base::Duration>> probe(std::string backend,
                                                             base::Duration timeout) override;
  boost::asio::awaitable<std::vector<Probed>> probe_all(std::vector<std::string> backends) override;
  boost::asio::awaitable<base::Result<base::Duration>> finish_probe(
      std::string backend, base::Duration timeout) override;
  std::optional<coord::ReadFence> probed_fence(std::string_view backend) const override;
  boost::asio::awaitable<base::Result<std::optional<coord::FenceRecord>>> read_fence(
      std::string backend, base::Duration timeout) override;
  boost::asio::awaitable<base::Result<>> raise_fence(std::string backend,
                                                     coord::FenceSource& source,
                                                     base::Duration timeout) override;
  boost::asio::awaitable<base::Result<>> flush_all(std::string backend,
                                                   base::Duration timeout) override;
  boost::asio::awaitable<base::Result<coord::BackendStats>> stats(std::string backend,
                                                                  base::Duration timeout) override;
  boost::asio::awaitable<std::vector<std::optional<coord::BackendStats>>> stats_all(
      std::vector<std::string> backends, base::Duration timeout) override;

 private:
  class Connection;
  class Owing;
  struct Round;
  base::Result<base::Duration> read_probe(Connection& peer, const std::string& backend,
                                          base::Instant asked, const std::string& answer);
  boost::asio::awaitable<base::Result<base::Duration>> probe_by(Connection& peer,
                                                                std::string backend,
                                                                base::Instant deadline);
  void ask_together(Round& round);
  boost::asio::awaitable<void> settle(std::shared_ptr<Round> round, base::Instant deadline);
  boost::asio::awaitable<void> ask_alone(std::shared_ptr<Round> round, size_t place,
                                         base::Duration timeout);
  Connection* connection(const std::string& backend);
  base::Timers& timers_;
  std::map<std::string, std::shared_ptr<Connection>, std::less<>> connections_;
};

}  // namespace agent::action
