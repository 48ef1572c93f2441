// Brain: fence records (fence_records.cc, backend_client.cc, the backends' side of reconciler.cc).
#include "base/memcache/stored_key.h"
#include "tests/simulation/one_view/brain.h"

namespace one_view {

namespace {
constexpr Duration kFenceWriteTimeout = 200ms;
constexpr Duration kFlushTimeout = 500ms;
constexpr Duration kRaiseAgain = 200ms;
constexpr int kSwapTries = 3;
}  // namespace

// ---- backend_client.cc

void Brain::take_backend(size_t backend, Instant deadline, std::function<void(bool)> then) {
  Keeper& keeper = keepers_[backend];
  if (!keeper.busy) {
    keeper.busy = true;
    return then(true);
  }
  const auto open = std::make_shared<bool>(true);
  keeper.turn.push_back([this, backend, open, then] {
    if (!std::exchange(*open, false)) return leave_backend(backend);
    then(true);
  });
  soon(deadline - now(), [open, then] {
    if (std::exchange(*open, false)) then(false);
  });
}

void Brain::leave_backend(size_t backend) {
  Keeper& keeper = keepers_[backend];
  if (keeper.turn.empty()) {
    keeper.busy = false;
    return;
  }
  Work next = std::move(keeper.turn.front());
  keeper.turn.pop_front();
  soon(0ns, std::move(next));
}

// On the kept connection; whatever does not end in a whole answer closes it.
void Brain::exchange(size_t backend, Request request, Instant deadline, ReplyTaken then) {
  Keeper& keeper = keepers_[backend];
  const uint64_t number = ++keeper.exchange;
  keeper.taker = std::move(then);
  keeper.wire->send(std::move(request));
  soon(deadline - now(), [this, backend, number] {
    Keeper& late = keepers_[backend];
    if (late.exchange != number || !late.taker) return;
    late.wire->close();
    late.wire.reset();
    std::exchange(late.taker, nullptr)(std::nullopt);
  });
}

void Brain::ask(size_t backend, Request request, Instant deadline, bool may_reconnect,
                ReplyTaken then) {
  Keeper& keeper = keepers_[backend];
  if (keeper.wire != nullptr) {
    Request copy = request;
    return exchange(backend, std::move(copy), deadline,
                    [this, backend, request = std::move(request), deadline, may_reconnect,
                     then = std::move(then)](std::optional<Reply> reply) {
                      if (reply || !may_reconnect || now() >= deadline) return then(reply);
                      ask(backend, request, deadline, false, then);
                    });
  }
  keeper.wire =
      Wire::connect(simulation(), *world_.backends[backend], controller_.process,
                    world_.to_backends[backend], [this, backend](Reply reply) {
                      Keeper& answered = keepers_[backend];
                      const bool reset = reply.reset;
                      if (reset) answered.wire.reset();
                      auto taker = std::exchange(answered.taker, nullptr);
                      if (!taker) return;
                      taker(reset ? std::nullopt : std::optional<Reply>(std::move(reply)));
                    });
  if (keeper.wire == nullptr) return soon(simulation().latency(), [then] { then(std::nullopt); });
  exchange(backend, std::move(request), deadline, std::move(then));
}

// BackendClient::raise_fence.
void Brain::raise_on(size_t backend, ClaimPtr claim, FenceTaken then) {
  const Instant deadline = now() + kFenceWriteTimeout;
  take_backend(
      backend, deadline, [this, backend, claim, deadline, then = std::move(then)](bool held) {
        if (!held) return then(FenceOutcome::kNotWritten);
        swap_in(backend, claim, deadline, kSwapTries, [this, backend, then](FenceOutcome outcome) {
          leave_backend(backend);
          then(outcome);
        });
      });
}

void Brain::swap_in(size_t backend, ClaimPtr kept, Instant deadline, int tries, FenceTaken then) {
  if (tries == 0) return then(FenceOutcome::kNotWritten);
  if (mutation_.overwrite_record) {
    Request write{Request::Kind::kSet, std::string(base::memcache::kFenceKey), to_text(claim(kept)),
                  0};
    return ask(backend, std::move(write), deadline, true, [then](std::optional<Reply> written) {
      then(written ? FenceOutcome::kRaised : FenceOutcome::kMaybeWritten);
    });
  }
  Request read;
  read.key = base::memcache::kFenceKey;
  ask(backend, std::move(read), deadline, true,
      [this, backend, kept, deadline, tries, then = std::move(then)](std::optional<Reply> present) {
        if (!present) return then(FenceOutcome::kNotWritten);
        const FenceRecord record = claim(kept);
        FenceRecord wanted = record;
        Request write;
        write.key = base::memcache::kFenceKey;
        write.kind = present->done ? Request::Kind::kSwap : Request::Kind::kAdd;
        write.cas = present->cas;
        if (present->done) {
          const auto there = base::memcache::parse_fence_record(present->value);
          if (there->covers(record)) return then(FenceOutcome::kRaised);
          wanted.raise_to(*there);
        }
        write.value = to_text(wanted);
        exchange(backend, std::move(write), deadline,
                 [this, backend, kept, deadline, tries, then](std::optional<Reply> written) {
                   if (!written) return then(FenceOutcome::kMaybeWritten);
                   if (written->done) return then(FenceOutcome::kRaised);
                   swap_in(backend, kept, deadline, tries - 1, then);
                 });
      });
}

void Brain::flush_backend(size_t backend, Taken then) {
  const Instant deadline = now() + kFlushTimeout;
  take_backend(backend, deadline, [this, backend, deadline, then = std::move(then)](bool held) {
    if (!held) return then(Failure::kNotSent);
    Request flush;
    flush.kind = Request::Kind::kFlushAll;
    ask(backend, std::move(flush), deadline, true,
        [this, backend, then](std::optional<Reply> reply) {
          leave_backend(backend);
          then(reply ? Failure::kNone : Failure::kUnknown);
        });
  });
}

// ---- fence_records.cc

// TableJournal::fence_epoch and Tenants::version.
FenceRecord Brain::wanted() const {
  const bool forward = memory_.phase == Phase::kFencing && !retreating_;
  return {forward ? memory_.prepared->epoch : memory_.committed->epoch, memory_.flush_sequence};
}

FenceRecord Brain::claim(const ClaimPtr& claim) {
  if (claim->made) claimed_.erase(claimed_.find(claim->record.epoch));
  claim->record = wanted();
  claim->made = true;
  claimed_.insert(claim->record.epoch);
  return claim->record;
}

void Brain::raise(size_t backend, FenceTaken then) {
  const auto made = std::make_shared<Claim>();
  const uint64_t life = keepers_[backend].life;
  raise_on(
      backend, made, [this, backend, made, life, then = std::move(then)](FenceOutcome outcome) {
        const FenceRecord& record = made->record;
        if (made->made) claimed_.erase(claimed_.find(record.epoch));
        if (outcome != FenceOutcome::kNotWritten) {
          highest_tried_ = std::max(highest_tried_, record.epoch);
        }
        Keeper& keeper = keepers_[backend];
        if (outcome == FenceOutcome::kRaised && keeper.life != life) {
          outcome = FenceOutcome::kMaybeWritten;
        }
        if (outcome == FenceOutcome::kRaised && (!keeper.known || !keeper.record.covers(record))) {
          keeper.known = true;
          keeper.record = record;
          keeper.since = now();
          simulation().tell("agent knows record " + to_text(record) + " on " +
                            world_.backends[backend]->process.name);
        }
        then(outcome);
      });
}

std::optional<Instant> Brain::held_since(size_t backend, const FenceRecord& record) const {
  const Keeper& keeper = keepers_[backend];
  if (!keeper.known || !keeper.record.covers(record)) return std::nullopt;
  return keeper.since;
}

void Brain::forget(size_t backend) {
  Keeper& keeper = keepers_[backend];
  ++keeper.life;
  keeper.known = false;
  keeper.record = FenceRecord();
}

void Brain::backend_changed(size_t backend) {
  forget(backend);
}

// ---- reconciler.cc

void Brain::watch_backend(size_t backend, Instant check_at) {
  const FenceRecord present = wanted();
  const bool fresh = !held_since(backend, FenceRecord());
  const bool stable = memory_.phase == Phase::kStable;
  const bool behind = stable && !held_since(backend, present);
  const bool due = stable && now() >= check_at;
  if (!world_.running[backend] || !(fresh || behind || due)) {
    return soon(kLookEvery, [this, backend, check_at] { watch_backend(backend, check_at); });
  }
  raise(backend, [this, backend](FenceOutcome outcome) {
    const Instant next = now() + kReconcileEvery;
    const Duration wait = outcome == FenceOutcome::kRaised ? kLookEvery : kLookEvery + kRaiseAgain;
    soon(wait, [this, backend, next] { watch_backend(backend, next); });
  });
}

}  // namespace one_view
