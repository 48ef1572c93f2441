// Forwarder: passes the bytes of every proxy-backend link of a game-day region through one epoll
// loop, and disturbs them as its faults say.
//
// One thread runs the loop; other threads hand it work through call(), which waits for it. With no
// fault set a chunk is written in the same turn in which it was read, so a calm link costs one read
// and one write. Bounded: each direction of a connection stops being read at 1 MiB queued.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/net/fd.h"
#include "cli/forwarder/faults.h"
#include "cli/forwarder/link.h"

namespace cli {

// Thread: run() and everything private on one; call() and stop() from any other.
// Owner: forwarder_main or a test, which ends run() by stop() before destruction.
class Forwarder {
 public:
  Forwarder(const base::Clock& clock, uint64_t seed);
  ~Forwarder();

  void run();  // until stop()
  void stop();
  // Runs `work` on the loop's thread and returns when it is done.
  void call(const std::function<void()>& work);

  // Within call() only.
  // All or nothing: links that are the same as before keep their connections, others are opened and
  // closed. kExists or kInvalid name the link, and nothing has changed.
  base::Result<> set_links(const std::vector<LinkSpec>& links);
  std::vector<LinkSpec> links() const;  // with the ports really bound
  FaultSet& faults() { return faults_; }

 private:
  struct Link;
  struct Connection;

  void run_posted();
  void on_event(uint64_t tag, uint32_t events);
  void accept_from(Link& link);
  void on_readable(Connection& connection, LinkEnd& from);
  // Writes, half-closes and registers interest; false when the connection is over.
  bool settle(Connection& connection);
  void open_echo(Link& link);
  void close_echo(Link& link);
  void settle_all();
  bool pass_on(LinkEnd& end, const LinkEnd& other, bool stalled);
  void listen_for(LinkEnd& end, const LinkEnd& other, uint64_t tag, bool stalled);
  void set_interest(LinkEnd& end, uint64_t tag, uint32_t events);
  void register_fd(int fd, uint64_t tag, uint32_t events);
  void drop(uint64_t connection_id);
  void drop_connections_of(const std::string& link);
  base::Duration until_next_due() const;

  // Constant after construction.
  const base::Clock& clock_;
  base::net::UniqueFd epoll_;
  base::net::UniqueFd wakeup_;
  // Owned by the loop's thread.
  FaultSet faults_;
  std::map<std::string, std::unique_ptr<Link>> links_;  // by id
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::map<uint64_t, Link*> listeners_;  // by tag
  std::map<uint64_t, Link*> echoes_;     // links with an echo path, by the id of its tags
  uint64_t next_id_ = 1;
  base::Instant now_;  // of this turn of the loop
  bool stopped_ = false;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace cli
