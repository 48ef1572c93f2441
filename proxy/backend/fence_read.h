// A read of a backend's fence record, and what its reply says.
#pragma once

#include <optional>

#include "base/memcache/buffer.h"
#include "base/memcache/fence_record.h"
#include "base/memcache/meta_reply.h"
#include "base/memcache/meta_writer.h"
#include "base/memcache/stored_key.h"

namespace proxy {

inline void append_fence_read(base::memcache::Buffer& out) {
  base::memcache::meta::Get get;
  get.want.value = true;
  base::memcache::KeyPieces key;
  key.head = base::memcache::kFenceKey;
  base::memcache::meta::append_get(out, key, get);
}

// Nothing: there is none, or nonsense.
inline std::optional<base::memcache::FenceRecord> fence_record_of(
    const base::memcache::MetaReply& reply) {
  if (reply.code != base::memcache::MetaCode::kValue) return std::nullopt;
  return base::memcache::parse_fence_record(reply.value);
}

}  // namespace proxy
