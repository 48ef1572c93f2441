// Rfc2136Switch: names in real name servers (BIND, Knot, PowerDNS), by UPDATE with TSIG.
//
// A change first asks the primary what stands there: so a server that is away or does not know the key is
// found out before anything was sent. Then one UPDATE requires exactly that, and replaces records and
// generation together. Then every server is asked until it shows the change.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/dns/courier.h"
#include "agent/dns/dns_switch.h"

namespace agent::dns {

struct Rfc2136Options {
  std::string zone;                  // normal form (change.h)
  std::vector<ServerPlace> servers;  // the primary first; all know the key
  Key key;
};

// Thread: the executor's. Owner: app. Invariant: no state between calls.
class Rfc2136Switch final : public DnsSwitch {
 public:
  Rfc2136Switch(boost::asio::any_io_executor executor, base::Timers& timers,
                Rfc2136Options options);

  boost::asio::awaitable<base::Result<std::vector<ServerView>>> read(
      std::string name, base::Instant deadline) override;
  boost::asio::awaitable<base::Result<Changed>> change(Change change,
                                                       base::Instant deadline) override;
  boost::asio::awaitable<base::Result<>> check(base::Instant deadline) override;

 private:
  struct Sight;  // what a server shows of a change, so far

  // Records and generation that stood there together.
  boost::asio::awaitable<base::Result<NameState>> read_one(ServerPlace server, std::string name,
                                                           base::Instant deadline);
  // The same in one round, so that they may be of different moments: to be compared only.
  boost::asio::awaitable<base::Result<NameState>> glance(ServerPlace server, std::string name,
                                                         std::vector<RecordType> types,
                                                         base::Instant deadline);
  boost::asio::awaitable<base::Result<uint64_t>> read_generation(ServerPlace server,
                                                                 std::string name,
                                                                 base::Instant deadline,
                                                                 std::string& run);
  boost::asio::awaitable<base::Result<>> update(Change change, NameState standing,
                                                base::Instant deadline);
  // `said`: the answer to an UPDATE; nothing: none was sent.
  boost::asio::awaitable<base::Result<>> resolve_conflict(Change change,
                                                          std::optional<AnswerCode> said,
                                                          base::Instant deadline);
  boost::asio::awaitable<void> read_from(size_t index, std::string name, base::Instant deadline,
                                         std::vector<ServerView>& views);
  boost::asio::awaitable<void> watch_from(size_t index, Change change, base::Instant deadline,
                                          std::vector<Sight>& sights);
  boost::asio::awaitable<void> watch(ServerPlace server, Change change, base::Instant deadline,
                                     Sight& sight);

  base::Timers& timers_;
  const Rfc2136Options options_;
  Courier courier_;
};

}  // namespace agent::dns
