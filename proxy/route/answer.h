// Answers: what a client is told, in its own protocol, for a backend's reply or for its absence.
//
// The mirror of translate.h. Everything about quiet forms is here: a text noreply hears nothing at
// all, a quiet binary command hears only what is not the expected outcome.
#pragma once

#include <string_view>

#include "base/memcache/buffer.h"
#include "base/memcache/cas_tokens.h"
#include "base/memcache/meta_reply.h"
#include "base/telemetry/segment.h"
#include "proxy/route/in_flight.h"

namespace proxy::route {

// How a request ended, for statistics.
enum class Outcome : uint8_t {
  kDone,       // hit, stored, deleted, touched, counted
  kAbsent,     // miss, not found
  kNotStored,  // the condition of add, replace, append did not hold
  kExists,     // another cas
  kError,      // the backend refused or failed
};

Outcome outcome_of(base::memcache::MetaCode code);
// What the backend refused with, in the text protocol.
void append_refusal(base::memcache::Buffer& out, const base::memcache::MetaReply& reply);

// Appends the answer to `pending` made of the backend's reply. `tokens` are those of the slot.
Outcome append_answer(base::memcache::Buffer& out, const Pending& pending, std::string_view key,
                      const base::memcache::MetaReply& reply,
                      const base::memcache::CasTokens& tokens);

// A miss, as the backend would have reported it. `flags`: a meta command's, of which it shows some.
// Precondition: the request is a read.
void append_miss(base::memcache::Buffer& out, const Pending& pending, std::string_view key,
                 std::string_view flags = {});

// "SERVER_ERROR …" or a binary temporary failure. In a group of keys it is the group's last word.
void append_failure(base::memcache::Buffer& out, const Pending& pending,
                    base::telemetry::Failure failure);

// What a command that changes something hears without the write capability: what clients show as
// "not done" (NOT_STORED, NOT_FOUND), never a broken connection.
// `key` and `flags` as for append_miss.
void append_not_permitted(base::memcache::Buffer& out, const Pending& pending, std::string_view key,
                          std::string_view flags);

// Key and value together are larger than a cache takes.
void append_too_large(base::memcache::Buffer& out, const Pending& pending);

// The request as far as a binary reply echoes it.
base::memcache::Request echo_of(const Pending& pending);

}  // namespace proxy::route
