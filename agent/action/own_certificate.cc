#include "agent/action/own_certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <ctime>
#include <memory>

#include "base/core/file.h"

namespace agent::action {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;

constexpr long kSeconds = 10L * 365 * 24 * 3600;
constexpr long kClockSkew = 24L * 3600;
constexpr int kSerialBits = 127;

template <auto Free>
struct With {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, With<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, With<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, With<BN_free>>;
using Memory = std::unique_ptr<BIO, With<BIO_free>>;

std::string text_of(BIO* memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

Error failed(const std::string& path) {
  return Error(ErrorCode::kIo, "cannot make " + path + ": OpenSSL refuses");
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string names_of(const coord::RegionSpec& region) {
  std::string names = "DNS:localhost";
  for (const coord::ClusterSpec& cluster : region.clusters) {
    for (const coord::ProxySpec& proxy : cluster.proxies) names += ",IP:" + proxy.address;
  }
  return names;
}

Certificate make_certificate(const coord::RegionSpec& region, EVP_PKEY* key) {
  Certificate made(X509_new());
  const Number serial(BN_new());
  if (!made || !serial) return nullptr;
  X509* const raw = made.get();
  X509_NAME* const name = X509_get_subject_name(raw);
  const std::string common = "mcguard region " + region.region;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(common.c_str());
  const bool fine = X509_set_version(raw, X509_VERSION_3) == 1 &&
                    BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw)) != nullptr &&
                    X509_gmtime_adj(X509_getm_notBefore(raw), -kClockSkew) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(raw), kSeconds) != nullptr &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, bytes, -1, -1, 0) == 1 &&
                    X509_set_issuer_name(raw, name) == 1 && X509_set_pubkey(raw, key) == 1 &&
                    add_extension(raw, NID_basic_constraints, "critical,CA:TRUE") &&
                    add_extension(raw, NID_subject_key_identifier, "hash") &&
                    add_extension(raw, NID_subject_alt_name, names_of(region)) &&
                    X509_sign(raw, key, EVP_sha256()) != 0;
  return fine ? std::move(made) : nullptr;
}

// The key that is there, or a new one, written.
Result<Key> ensure_key(const std::string& path) {
  if (const auto there = base::read_file(path); there.ok()) {
    const Memory memory(BIO_new_mem_buf(there->data(), static_cast<int>(there->size())));
    char no_password[] = "";
    Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, nullptr, no_password));
    if (!key) return Error(ErrorCode::kInvalid, path + ": expected a private key in PEM form");
    return key;
  } else if (there.code() != ErrorCode::kNotFound) {
    return there.error();
  }
  Key key(EVP_EC_gen("P-256"));
  const Memory memory(BIO_new(BIO_s_mem()));
  if (!key || !memory ||
      PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return failed(path);
  }
  const auto written =
      base::write_file_atomic(path, text_of(memory.get()), base::Durability::kFsync, 0600);
  if (!written.ok()) return written.error();
  return key;
}

}  // namespace

std::string certificate_path(const coord::RegionSpec& region) {
  return region.dir + "/tls.pem";
}

std::string certificate_key_path(const coord::RegionSpec& region) {
  return region.dir + "/tls.key";
}

Result<> ensure_certificate(const coord::RegionSpec& region) {
  const std::string path = certificate_path(region);
  if (::access(path.c_str(), F_OK) == 0) return base::Done{};
  const auto key = ensure_key(certificate_key_path(region));
  if (!key.ok()) return key.error();
  const Certificate made = make_certificate(region, key->get());
  const Memory memory(BIO_new(BIO_s_mem()));
  if (!made || !memory || PEM_write_bio_X509(memory.get(), made.get()) != 1) return failed(path);
  return base::write_file_atomic(path, text_of(memory.get()), base::Durability::kFsync, 0644);
}

std::optional<int64_t> certificate_end(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text.ok()) return std::nullopt;
  const Memory memory(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  const Certificate read(memory ? PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)
                                : nullptr);
  std::tm parts{};
  if (!read || ASN1_TIME_to_tm(X509_get0_notAfter(read.get()), &parts) != 1) return std::nullopt;
  return static_cast<int64_t>(::timegm(&parts));
}

}  // namespace agent::action
