#include "proxy/route/reply_queue.h"

#include "base/core/check.h"

namespace proxy::route {

using base::memcache::Buffer;

Buffer BufferPool::take() {
  if (spares_.empty()) return Buffer();
  Buffer buffer = std::move(spares_.back());
  spares_.pop_back();
  return buffer;
}

void BufferPool::give(Buffer buffer) {
  if (buffer.capacity() == 0 || buffer.capacity() > kLargestSpare) return;
  if (spares_.size() >= kMostSpares) return;
  buffer.clear();
  spares_.push_back(std::move(buffer));
}

ReplyQueue::~ReplyQueue() {
  for (size_t i = first_; i < waiting_.size(); ++i) pool_->give(std::move(waiting_[i].text));
}

Ticket ReplyQueue::open(Place place) {
  compact();
  waiting_.emplace_back().place = place;
  return head_ + outstanding() - 1;
}

ReplyQueue::Waiting& ReplyQueue::at(Ticket ticket) {
  CHECK(ticket >= head_ && ticket - head_ < outstanding());
  return waiting_[first_ + (ticket - head_)];
}

Buffer& ReplyQueue::target(Ticket ticket, Buffer& out) {
  Waiting& waiting = at(ticket);
  CHECK(!waiting.finished);
  if (ticket == head_ && !skipping_) return out;
  if (waiting.text.capacity() == 0) waiting.text = pool_->take();
  return waiting.text;
}

void ReplyQueue::close(Ticket ticket, Buffer& out, bool fails_group) {
  Waiting& closed = at(ticket);
  CHECK(!closed.finished);
  closed.finished = true;
  closed.fails_group = fails_group && closed.place == Place::kInGroup;
  if (ticket != head_) {
    held_bytes_ += closed.text.size();
    return;
  }
  while (!empty() && waiting_[first_].finished) {
    Waiting& head = waiting_[first_];
    const bool was_held = head_ != ticket;
    if (was_held) held_bytes_ -= head.text.size();
    if (!skipping_) out.append(head.text.view());
    if (head.fails_group) skipping_ = true;
    if (head.place == Place::kEndsGroup) skipping_ = false;
    pop_head();
  }
}

void ReplyQueue::pop_head() {
  pool_->give(std::move(waiting_[first_].text));
  ++first_;
  ++head_;
  if (first_ == waiting_.size()) {
    waiting_.clear();
    first_ = 0;
    if (waiting_.capacity() > kKeptCapacity) waiting_.shrink_to_fit();
  }
}

// Keeps the vector from growing at the end while it empties at the front.
void ReplyQueue::compact() {
  if (first_ < 32 || first_ * 2 < waiting_.size()) return;
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
}

}  // namespace proxy::route
