#include "proxy/frontend/departures.h"

#include "base/telemetry/log.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/worker.h"

namespace proxy {

void Departures::move_to(OutboxPtr outbox) {
  how_ = How::kMove;
  outbox_ = std::move(outbox);
  cursor_ = close_cursor_ = 0;
}

void Departures::close_all() {
  how_ = How::kClose;
  close_cursor_ = 0;
}

void Departures::stop() {
  how_ = How::kNobody;
  outbox_.reset();
  told_.clear();
  for (size_t i = 0; i < worker_.places(); ++i) {
    if (Client* const client = worker_.at(i)) client->leave(Client::Leaving::kNo);
  }
}

void Departures::look(size_t count) {
  if (how_ != How::kMove) return;
  for (; count > 0 && cursor_ < worker_.places(); ++cursor_) {
    Client* const client = worker_.at(cursor_);
    if (client == nullptr || client->is_tls()) continue;
    tell(*client);
    --count;
  }
}

// Its place may be one that was looked at before.
void Departures::see(Client& client) {
  tell(client);
}

void Departures::tell(Client& client) {
  const bool moves = how_ == How::kMove && !client.is_tls();
  client.leave(moves ? Client::Leaving::kMoves : Client::Leaving::kCloses);
  if (how_ != How::kMove) return;
  told_.push_back({client.identity().index, client.identity().serial, worker_.now()});
}

void Departures::close_late() {
  const base::Duration patience = Departures::patience(worker_.world().settings.timeouts.request);
  for (; !told_.empty() && worker_.now() - told_.front().at > patience; told_.pop_front()) {
    Client* const client = worker_.find(told_.front().index, told_.front().serial);
    if (client == nullptr) continue;
    base::log::warn("handover_closed_client", {{"reason", "no boundary in time"}});
    client->close("no boundary in time");
  }
}

void Departures::take(Client& client) {
  CHECK(outbox_ != nullptr);
  Departed departed;
  departed.fd = client.pack(departed.record);
  // First put, then not counted any more: who sees that nobody is left finds the last one there.
  outbox_->put(std::move(departed));
  worker_.vacate(client);
}

void Departures::tick() {
  if (how_ == How::kNobody) return;
  close_late();
  size_t count = how_ == How::kClose ? kClosedPerTick : kTlsClosedPerTick;
  for (; count > 0 && close_cursor_ < worker_.places(); ++close_cursor_) {
    Client* const client = worker_.at(close_cursor_);
    if (client == nullptr || (how_ == How::kMove && !client->is_tls())) continue;
    tell(*client);
    --count;
  }
}

}  // namespace proxy
