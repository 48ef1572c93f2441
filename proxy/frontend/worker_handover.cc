// How a Worker's clients come from another process and go to one.
#include "base/telemetry/log.h"
#include "proxy/frontend/worker.h"

namespace proxy {

void Worker::move_to(OutboxPtr outbox) {
  beginning_to_move_.fetch_add(1, std::memory_order_relaxed);
  loop_->post([this, outbox] {
    // The sockets are kept: should the other process fail, this one goes on with them.
    for (const auto& listener : listeners_) loop_->change(listener->fd(), *listener, 0);
    accepting_ = false;
    doors_shut_ = true;
    lobby_.let_all_in();  // they leave as clients
    departures_.move_to(outbox);
    greetings_.move_to(*outbox);
    // A listener may be among the events of this turn and accept once more.
    loop_->post([this, outbox] {
      lobby_.let_all_in();
      if (departures_.moves_to(outbox)) greetings_.move_to(*outbox);
      beginning_to_move_.fetch_sub(1, std::memory_order_release);
    });
  });
}

void Worker::look_on(size_t count) {
  loop_->post([this, count] { departures_.look(count); });
}

void Worker::stay(OutboxPtr outbox, std::vector<Departed> returned) {
  auto shared = std::make_shared<std::vector<Departed>>(std::move(returned));
  loop_->post([this, outbox, shared] {
    departures_.stop();
    doors_shut_ = false;
    for (Departed& departed : *shared) adopt_one(std::move(departed), true);
    for (Departed& departed : outbox->take()) adopt_one(std::move(departed), true);
  });
}

void Worker::settle(uint64_t handed_over, uint64_t closed) {
  loop_->post([this, handed_over, closed] {
    cells().connections.sub(handed_over + closed);
    cells().connections_handed_over.add(handed_over);
    cells().connections_closed.add(closed);
  });
}

void Worker::adopt(std::vector<Departed> clients) {
  auto shared = std::make_shared<std::vector<Departed>>(std::move(clients));
  adopting_.fetch_add(1, std::memory_order_relaxed);
  loop_->post([this, shared] {
    for (Departed& departed : *shared) adopt_one(std::move(departed), false);
    loop_->post([this] { adopting_.fetch_sub(1, std::memory_order_release); });
  });
}

void Worker::open_doors() {
  loop_->post([this] { doors_shut_ = false; });
}

void Worker::adopt_one(Departed departed, bool returns) {
  handover::ClientRecord& record = departed.record;
  const Entrance entrance{record.open_cache, record.is_tls};
  if (record.is_greeting) {
    if (!departed.fd.valid()) return;
    return greetings_.take_over(std::move(departed.fd), record.address, entrance,
                                std::move(record.in));
  }
  if (!returns) {
    cells().connections_taken_over.add();
    if (!departed.fd.valid()) return cells().connections_closed.add();
    cells().connections.add();
  }
  const int raw = departed.fd.get();
  parts_.connections.take_over(record.address);
  Client& client = seat(std::move(departed.fd), record.address, record.open_cache);
  client.unpack(std::move(record), returns);
  expect_login(client);
  if (client.is_authenticated() && !client.session().is_open && !returns) {
    telemetry_.authenticated(client.identity().address, client.session().cache, now_);
  }
  if (!loop_->watch(raw, client, EPOLLIN).ok()) return client.close("cannot be watched");
  client.note_shared_socket();
}

}  // namespace proxy
