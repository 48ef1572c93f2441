#include "proxy/frontend/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/core/file.h"

namespace proxy {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// The certificates in use are few and small.
constexpr unsigned char kContextName[] = "mcguard";

// The newest error of OpenSSL in words, and forgets it.
std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(int(ERR_GET_REASON(code)));
  const char* const text = ERR_reason_error_string(code);
  return text == nullptr ? "error " + std::to_string(code) : text;
}

constexpr const char* kCertificate = "a certificate in PEM form, then its chain";
constexpr const char* kKey = "a private key in PEM form without a password";
constexpr const char* kSigners = "certificates in PEM form";

Error wrong_file(const PemFile& file, const std::string& expected, const std::string& why) {
  return Error(ErrorCode::kInvalid,
               file.origin + ": got \"" + file.path + "\", expected " + expected + ": " + why);
}

// One line more.
void add_line(std::string& lines, const std::string& line) {
  if (!lines.empty()) lines += '\n';
  lines += line;
}

std::string date_of(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm broken{};
  std::array<char, 32> text{};
  ::gmtime_r(&time, &broken);
  const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &broken);
  return {text.data(), size};
}

int64_t seconds_of(const ASN1_TIME* time) {
  std::tm broken{};
  return ASN1_TIME_to_tm(time, &broken) == 1 ? int64_t(::timegm(&broken)) : 0;
}

int index_of_shared() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// A key with a password must fail, not ask on the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

// Sessions made while another CA guarded the door, or none, must not come in by resumption.
Result<> set_gate(SSL_CTX* context, const TlsListener& wanted) {
  std::string gate(reinterpret_cast<const char*>(kContextName), sizeof kContextName);
  if (wanted.client_ca) {
    const std::string& path = wanted.client_ca->path;
    const auto content = base::read_file(path);
    if (!content) return wrong_file(*wanted.client_ca, kSigners, content.error().context);
    if (SSL_CTX_load_verify_file(context, path.c_str()) != 1) {
      return wrong_file(*wanted.client_ca, kSigners, reason());
    }
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(path.c_str());
    if (names == nullptr) return wrong_file(*wanted.client_ca, kSigners, reason());
    SSL_CTX_set_client_CA_list(context, names);
    const int must = wanted.client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
    gate += *content + (wanted.client_required ? "required" : "optional");
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(gate.data(), gate.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  CHECK(SSL_CTX_set_session_id_context(context, digest.data(), size) == 1);
  return base::Done{};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsListener& wanted,
                                                           TlsShared& shared) {
  std::shared_ptr<TlsContext> loaded(new TlsContext(shared));
  std::string wrong;
  for (const TlsCertificate& files : wanted.certificates) {
    ERR_clear_error();
    const auto added = loaded->add(wanted, files);
    // The gate's file is the same for all certificates, and so would be what is said of it.
    if (!added && wrong.find(added.error().context) == std::string::npos) {
      add_line(wrong, added.error().context);
    }
  }
  if (!wrong.empty()) return Error(ErrorCode::kInvalid, wrong);
  SSL_CTX* const first = loaded->contexts_.front().get();
  if (loaded->contexts_.size() > 1) {
    SSL_CTX_set_tlsext_servername_callback(first, &TlsContext::choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(first, loaded.get());
  }
  return std::shared_ptr<const TlsContext>(std::move(loaded));
}

Result<> TlsContext::add(const TlsListener& wanted, const TlsCertificate& files) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Error(ErrorCode::kExhausted, "tls: " + reason());
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(
      raw, wanted.min_version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(
      raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
  // Idle connections give their buffers back; with read-ahead one system call brings what is there,
  // instead of two per record.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_passwd_cb(raw, no_password);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 1);
  SSL_CTX_set_timeout(raw, long(TlsTickets::kLifetime / std::chrono::seconds(1)));
  SSL_CTX_set_ex_data(raw, index_of_shared(), &shared_);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(raw, &TlsContext::set_up_ticket);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.path.c_str()) != 1) {
    return wrong_file(files.certificate, kCertificate, reason());
  }
  const std::string key_of_it = "the private key of " + files.certificate.path;
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.path.c_str(), SSL_FILETYPE_PEM) != 1) {
    // One of the certificate's kind has been compared with it already.
    const bool is_another = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
    return wrong_file(files.key, is_another ? key_of_it : kKey, reason());
  }
  if (SSL_CTX_check_private_key(raw) != 1) return wrong_file(files.key, key_of_it, "it is another");
  if (const auto set = set_gate(raw, wanted); !set) return set;
  const X509* const leaf = SSL_CTX_get0_certificate(raw);
  certificates_.push_back({files.certificate, seconds_of(X509_get0_notBefore(leaf)),
                           seconds_of(X509_get0_notAfter(leaf))});
  contexts_.push_back(std::move(context));
  return base::Done{};
}

Result<> TlsContext::check_validity(int64_t seconds) const {
  std::string wrong;
  for (const Certificate& certificate : certificates_) {
    if (certificate.is_valid_at(seconds)) continue;
    const std::string when = seconds < certificate.not_before
                                 ? "it begins " + date_of(certificate.not_before)
                                 : "it expired " + date_of(certificate.not_after);
    add_line(wrong, wrong_file(certificate.file, "a certificate that is valid now", when).context);
  }
  if (!wrong.empty()) return Error(ErrorCode::kInvalid, wrong);
  return base::Done{};
}

SslPtr TlsContext::open(int fd) const {
  SslPtr ssl(SSL_new(contexts_.front().get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

int TlsContext::choose_certificate(SSL* ssl, int*, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  for (const SslContextPtr& context : static_cast<const TlsContext*>(self)->contexts_) {
    X509* const leaf = SSL_CTX_get0_certificate(context.get());
    if (X509_check_host(leaf, name, std::strlen(name), 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, context.get());
    break;
  }
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::set_up_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                              EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
  auto* const shared =
      static_cast<TlsShared*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index_of_shared()));
  return shared->tickets.set_up(name, iv, cipher, mac, sealing != 0);
}

}  // namespace proxy
