#include "proxy/frontend/ledger_entry.h"

#include "base/core/hash.h"
#include "proxy/route/translate.h"

namespace proxy {

using base::memcache::Command;
using route::Effect;
using route::Kind;
using route::Outcome;
using tenant::Ledger;

namespace {

constexpr int64_t kMostRelative = 60 * 60 * 24 * 30;

void note_done(Ledger& ledger, Ledger::Event event, const route::Pending& pending, size_t key_size,
               std::optional<size_t> value_size) {
  switch (route::kind_of(pending.command)) {
    case Kind::kRead:
      if (value_size) {
        Ledger::Event read = event;
        if (pending.command != Command::kGat) read.expires = 0;
        read.bytes = static_cast<uint32_t>(key_size + *value_size);
        ledger.found(read);
      }
      if (pending.effect == Effect::kTouches) ledger.touched(event);
      return;
    case Kind::kStore:
      event.bytes = pending.value_size;
      if (pending.command == Command::kAppend || pending.command == Command::kPrepend ||
          pending.effect == Effect::kAppends) {
        return ledger.appended(event);
      }
      event.bytes += static_cast<uint32_t>(key_size);
      return ledger.stored(event);
    case Kind::kDelete:
      if (pending.effect == Effect::kPlain) return ledger.deleted(event);
      if (pending.effect == Effect::kTouches) ledger.touched(event);
      return;
    case Kind::kTouch:
      return ledger.touched(event);
    case Kind::kArithmetic:
      if (pending.effect == Effect::kTouches) ledger.touched(event);
      return;
    case Kind::kNone:
      return;
  }
}

}  // namespace

uint32_t expiry_of(int64_t exptime, uint32_t now_s) {
  if (exptime == 0) return 0;
  if (exptime < 0) return 1;
  return static_cast<uint32_t>(exptime <= kMostRelative ? now_s + exptime : exptime);
}

void note_in_ledger(tenant::Account* account, const route::Pending& pending, std::string_view key,
                    Outcome outcome, std::optional<size_t> value_size, base::WallTime wall) {
  if (account == nullptr) return;
  Ledger::Event event;
  event.generation = pending.generation;
  event.hash = base::hash64(key, pending.cache);
  event.now = static_cast<uint32_t>(wall.ns / 1'000'000'000);
  event.expires = expiry_of(pending.exptime, event.now);
  if (outcome == Outcome::kDone) {
    return note_done(account->ledger(), event, pending, key.size(), value_size);
  }
  // An add that was refused found an item; whatever else found none.
  const bool found_none = outcome == Outcome::kAbsent && pending.command != Command::kAdd &&
                          pending.command != Command::kMetaSet;
  if (found_none) account->ledger().missed(event);
}

}  // namespace proxy
