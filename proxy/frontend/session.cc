// How a Client authenticates, and how it stays in step with the configuration.
#include <string>

#include "base/core/hash.h"
#include "base/memcache/ascii_writer.h"
#include "base/telemetry/log.h"
#include "proxy/frontend/client.h"
#include "proxy/frontend/worker.h"

namespace proxy {

namespace ascii = base::memcache::ascii;
namespace binary = base::memcache::binary;
using base::memcache::Command;
using base::memcache::Protocol;
using base::memcache::Request;
using base::telemetry::Failure;
using tenant::Count;
using tenant::LoginDecision;
using tenant::LoginResult;

namespace {

uint64_t proof_of(const tenant::Credential& credential) {
  return base::hash64(credential.verifier, base::hash64(credential.salt, 0));
}

}  // namespace

void Client::obey_stranger(const Request& request) {
  worker_.cells().requests[size_t(base::telemetry::Operation::kAuth)].add();
  worker_.telemetry().add_request(telemetry_index_);
  if (request.protocol == Protocol::kBinary) {
    switch (request.command) {
      case Command::kSaslMechanisms:
      case Command::kSaslAuth:
      case Command::kSaslStep:
        return obey_sasl(request);
      case Command::kVersion:
        return obey_plain(request);
      default:
        return answer_stranger(request);
    }
  }
  if (request.command == Command::kSet) return obey_first_set(request);
  if (request.command == Command::kQuit) return finish();
  answer_stranger(request);
}

void Client::answer_stranger(const Request& request) {
  if (request.protocol == Protocol::kBinary || protocol_ == Protocol::kBinary) {
    // As memcached, which closes behind it; by text one may try again.
    answer_status(request, binary::Status::kAuthError,
                  binary::status_text(binary::Status::kAuthError));
    return finish();
  }
  answer_ascii(ascii::kUnauthenticated);
}

void Client::obey_sasl(const Request& request) {
  if (request.command == Command::kSaslMechanisms) {
    return answer_status(request, binary::Status::kSuccess, "PLAIN");
  }
  if (session_.is_open) {
    // Nothing to prove here; a client that is set up with a password may still offer one.
    return answer_status(request, binary::Status::kSuccess, "Authenticated");
  }
  if (session_.authenticated) return refuse_login(request);
  // A client that has not sent its response along is asked for it (SASL_STEP brings it).
  if (request.command == Command::kSaslAuth && request.key == "PLAIN" && request.value.empty()) {
    return answer_status(request, binary::Status::kAuthContinue, {});
  }
  const auto login = request.key == "PLAIN" ? tenant::parse_sasl_plain(request.value)
                                            : std::optional<tenant::Login>();
  if (!login) return refuse_login(request);
  const auto refused = accept_login(tenant::check_login(*worker_.world().directory, *login));
  if (refused) return refuse_login(request, *refused);
  answer_status(request, binary::Status::kSuccess, "Authenticated");
}

void Client::obey_first_set(const Request& request) {
  const LoginResult result =
      tenant::check_first_set(*worker_.world().directory, request.key, request.value);
  if (const auto refused = accept_login(result)) return refuse_login(request, *refused);
  answer_ascii(ascii::kStored);
}

void Client::refuse_login(const Request& request, Failure why) {
  worker_.cells().failure(why).add();
  if (why != Failure::kAuthFailed) {
    // Who it is is known; there is no room, and there may be some later.
    if (request.protocol == Protocol::kBinary) {
      answer_status(request, binary::Status::kTemporaryFailure, refusal_of(why));
    } else {
      answer_ascii("SERVER_ERROR " + std::string(refusal_of(why)) + "\r\n");
    }
    return finish();
  }
  if (request.protocol == Protocol::kBinary) {
    answer_status(request, binary::Status::kAuthError,
                  binary::status_text(binary::Status::kAuthError));
  } else {
    answer_ascii(ascii::kAuthFailure);
  }
  if (!session_.authenticated && ++failed_tries_ >= kMostTries) finish();
}

// Why not, or nothing: then the connection is the credential's.
std::optional<Failure> Client::accept_login(const LoginResult& login) {
  if (login.decision == LoginDecision::kWrongPassword && login.cache != nullptr) {
    worker_.accounts().open(login.cache->id).row(worker_.index()).add(Count::kAuthErrors);
  }
  if (login.decision != LoginDecision::kAccepted) return Failure::kAuthFailed;
  if (!worker_.may_log_in(login.credential->user)) return Failure::kConnectionRate;
  if (!enter_cache(*login.cache)) return Failure::kConnectionLimit;
  session_.user = login.credential->user;
  session_.proof = proof_of(*login.credential);
  session_.cache = login.cache->id;
  session_.may_write = login.credential->write;
  session_.may_flush = login.credential->flush;
  session_.authenticated = true;
  worker_.on_authenticated(*this);
  widen_limits();
  find_room();  // for what follows in the same input
  return std::nullopt;
}

// Takes a place among the cache's connections; false: there is none.
bool Client::enter_cache(const tenant::Cache& cache) {
  tenant::Account& account = worker_.accounts().open(cache.id);
  if (!account.take_connection(cache.connection_limit)) return false;
  session_.account = &account;
  session_.row = &account.row(worker_.index());
  session_.generation = cache.generation;
  session_.is_flushing = worker_.world().directory->is_flushing(cache);
  session_.world = worker_.router().world_number();
  session_.row->add(Count::kTotalConnections);
  session_.row->add(Count::kAuthCommands);
  return true;
}

// Brings the session up to date with the configuration, at a request's boundary. False when it has
// ended: the credential is gone or changed, or its cache is disabled.
bool Client::refresh_session() {
  if (!session_.authenticated || session_.world == worker_.router().world_number()) return true;
  const tenant::Directory& directory = *worker_.world().directory;
  const tenant::Cache* cache = directory.caches.find(session_.cache);
  if (session_.is_open && session_.account == nullptr && cache != nullptr && cache->enabled) {
    if (enter_cache(*cache)) return true;
    worker_.cells().failure(Failure::kConnectionLimit).add();
    close("its cache has too many connections");
    return false;
  }
  const tenant::Credential* credential =
      session_.is_open ? nullptr : directory.credentials.find(session_.user);
  const bool stands =
      session_.is_open || (credential != nullptr && credential->cache == session_.cache &&
                           proof_of(*credential) == session_.proof);
  if (cache == nullptr || !cache->enabled || !stands) {
    close("its credential or cache is gone");
    return false;
  }
  if (credential != nullptr) {
    session_.may_write = credential->write;
    session_.may_flush = credential->flush;
  }
  session_.generation = cache->generation;
  session_.is_flushing = directory.is_flushing(*cache);
  session_.world = worker_.router().world_number();
  return true;
}

}  // namespace proxy
