#include "proxy/route/translate.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/memcache/ascii_parser.h"
#include "base/memcache/meta_writer.h"
#include "proxy/route/meta.h"

namespace proxy::route {

namespace meta = base::memcache::meta;
using base::memcache::CasTokens;
using base::memcache::Command;
using base::memcache::Protocol;
using base::memcache::Request;

namespace {

std::optional<uint64_t> condition(const Request& request, const CasTokens& tokens) {
  const bool conditional = request.command == Command::kCas ||
                           (request.protocol == Protocol::kBinary && request.cas != 0);
  if (!conditional) return std::nullopt;
  return tokens.read(request.cas);
}

// To memcached a binary ADD or REPLACE with a cas is a plain check-and-set.
meta::StoreMode mode_of(const Request& request) {
  switch (request.command) {
    case Command::kAdd:
      return request.cas != 0 ? meta::StoreMode::kSet : meta::StoreMode::kAdd;
    case Command::kReplace:
      return request.cas != 0 ? meta::StoreMode::kSet : meta::StoreMode::kReplace;
    case Command::kAppend:
      return meta::StoreMode::kAppend;
    case Command::kPrepend:
      return meta::StoreMode::kPrepend;
    default:
      return meta::StoreMode::kSet;
  }
}

// A binary TOUCH is answered with the item's flags and cas.
void append_touch(base::memcache::Buffer& out, const Request& request,
                  const base::memcache::StoredKey& key) {
  if (request.protocol != Protocol::kBinary) return meta::append_touch(out, key, request.exptime);
  meta::Get get;
  get.want.flags = get.want.cas = true;
  get.touch = request.exptime;
  meta::append_get(out, key, get);
}

}  // namespace

Kind kind_of(Command command) {
  switch (command) {
    case Command::kGet:
    case Command::kGat:
    case Command::kMetaGet:
    case Command::kMetaDebug:
      return Kind::kRead;
    case Command::kSet:
    case Command::kAdd:
    case Command::kReplace:
    case Command::kAppend:
    case Command::kPrepend:
    case Command::kCas:
    case Command::kMetaSet:
      return Kind::kStore;
    case Command::kDelete:
    case Command::kMetaDelete:
      return Kind::kDelete;
    case Command::kTouch:
      return Kind::kTouch;
    case Command::kIncr:
    case Command::kDecr:
    case Command::kMetaArithmetic:
      return Kind::kArithmetic;
    default:
      return Kind::kNone;
  }
}

bool is_write(Kind kind) {
  return kind != Kind::kNone && kind != Kind::kRead;
}

void append_upstream(base::memcache::Buffer& out, const Request& request,
                     const base::memcache::StoredKey& key, const CasTokens& tokens,
                     bool may_touch) {
  if (is_meta(request.command)) {
    return append_meta_upstream(out, request, key, tokens, may_touch);
  }
  const bool binary = request.protocol == Protocol::kBinary;
  switch (kind_of(request.command)) {
    case Kind::kRead: {
      meta::Get get;
      get.want.value = get.want.flags = true;
      get.want.cas = request.with_cas || binary;
      if (request.command == Command::kGat && may_touch) get.touch = request.exptime;
      meta::append_get(out, key, get);
      return;
    }
    case Kind::kStore: {
      meta::Store store;
      store.mode = mode_of(request);
      store.flags = request.flags;
      store.exptime = request.exptime;
      store.cas = condition(request, tokens);
      store.return_cas = binary;
      meta::append_store(out, key, static_cast<uint32_t>(request.value.size()), store);
      out.append(request.value);
      out.append(base::memcache::kValueEnd);
      return;
    }
    case Kind::kDelete: {
      meta::Delete remove;
      remove.cas = condition(request, tokens);
      meta::append_delete(out, key, remove);
      return;
    }
    case Kind::kTouch:
      append_touch(out, request, key);
      return;
    case Kind::kArithmetic: {
      meta::Arithmetic arithmetic;
      arithmetic.decrement = request.command == Command::kDecr;
      arithmetic.delta = request.delta;
      if (request.create) {
        arithmetic.initial = request.initial;
        arithmetic.exptime = request.exptime;
      }
      arithmetic.cas = condition(request, tokens);
      arithmetic.return_cas = binary;
      meta::append_arithmetic(out, key, arithmetic);
      return;
    }
    case Kind::kNone:
      break;
  }
  CHECK(!"a command without a key was translated");
}

}  // namespace proxy::route
