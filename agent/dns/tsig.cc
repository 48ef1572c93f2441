#include "agent/dns/tsig.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <optional>

#include "base/core/check.h"

namespace agent::dns {
namespace {

using base::Error;
using base::ErrorCode;

constexpr size_t kHeader = 12;
constexpr size_t kAdditionalCount = 10;  // where it is in the header
constexpr uint16_t kTypeTsig = 250;
constexpr uint16_t kClassAny = 255;
constexpr size_t kLongestWireName = 255;
constexpr uint16_t kLongestFudge = 300;

void put16(std::string& out, uint16_t number) {
  out.push_back(static_cast<char>(number >> 8));
  out.push_back(static_cast<char>(number & 0xff));
}

void put48(std::string& out, uint64_t number) {
  put16(out, static_cast<uint16_t>(number >> 32));
  put16(out, static_cast<uint16_t>(number >> 16));
  put16(out, static_cast<uint16_t>(number));
}

// In the form in which it is signed: lower case, not compressed.
std::string wire_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    out.push_back(static_cast<char>(dot));
    out.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back('\0');
  return out;
}

// Reads a message from the front; after something that is not there everything reads as 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  size_t at() const { return at_; }
  bool at_end() const { return at_ == bytes_.size(); }

  std::string_view take(size_t size) {
    if (failed_ || bytes_.size() - at_ < size) {
      failed_ = true;
      return {};
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  uint64_t number(size_t size) {
    uint64_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  uint16_t number16() { return static_cast<uint16_t>(number(2)); }
  // As wire_name() writes it. Pointers lead only backwards, so that this ends.
  std::string name() {
    std::string out;
    size_t from = at_, least = at_;
    bool jumped = false;
    while (!failed_) {
      if (from >= bytes_.size() || out.size() > kLongestWireName) break;
      const auto length = static_cast<unsigned char>(bytes_[from]);
      if (length < 0x40) {
        if (bytes_.size() - from < size_t{length} + 1) break;
        out.push_back(static_cast<char>(length));
        for (const char c : bytes_.substr(from + 1, length)) {
          out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
        }
        from += size_t{length} + 1;
        if (!jumped) at_ = from;
        if (length == 0 && out.size() <= kLongestWireName) return out;
        continue;
      }
      if (length < 0xc0 || bytes_.size() - from < 2) break;
      const size_t to = size_t{length & 0x3fu} << 8 | static_cast<unsigned char>(bytes_[from + 1]);
      if (!jumped) at_ = from + 2;
      if (to >= least) break;
      jumped = true;
      from = least = to;
    }
    failed_ = true;
    return {};
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

struct Tsig {
  size_t begins = 0;  // where its record does
  std::string key;
  std::string algorithm;
  uint64_t time = 0;
  uint16_t fudge = 0;
  std::string mac;
  uint16_t original_id = 0;
  uint16_t error = 0;
  std::string other;
};

enum class Found { kNone, kTsig, kNonsense };

Found read_rdata(std::string_view rdata, Tsig& tsig) {
  Reader reader(rdata);
  tsig.algorithm = reader.name();
  tsig.time = reader.number(6);
  tsig.fudge = reader.number16();
  tsig.mac = std::string(reader.take(reader.number16()));
  tsig.original_id = reader.number16();
  tsig.error = reader.number16();
  tsig.other = std::string(reader.take(reader.number16()));
  return reader.failed() || !reader.at_end() ? Found::kNonsense : Found::kTsig;
}

// It is the last record of a message, and there is no other.
Found find_tsig(std::string_view bytes, Tsig& tsig) {
  Reader reader(bytes);
  reader.take(4);
  const uint16_t questions = reader.number16();
  size_t records = reader.number16();
  records += reader.number16();
  const uint16_t additional = reader.number16();
  records += additional;
  for (uint16_t i = 0; i < questions && !reader.failed(); ++i) {
    reader.name();
    reader.take(4);
  }
  Found found = Found::kNone;
  for (size_t i = 0; i < records && !reader.failed(); ++i) {
    if (found != Found::kNone) return Found::kNonsense;
    const size_t begins = reader.at();
    const std::string owner = reader.name();
    const uint16_t type = reader.number16();
    const uint16_t cls = reader.number16();
    const uint64_t ttl = reader.number(4);
    const std::string_view rdata = reader.take(reader.number16());
    if (reader.failed() || type != kTypeTsig) continue;
    if (cls != kClassAny || ttl != 0 || additional == 0) return Found::kNonsense;
    tsig.begins = begins;
    tsig.key = owner;
    found = read_rdata(rdata, tsig);
  }
  return reader.failed() || !reader.at_end() ? Found::kNonsense : found;
}

std::string hmac(const Key& key, std::string_view text) {
  const EVP_MD* digest = key.algorithm == TsigAlgorithm::kHmacSha256 ? EVP_sha256() : EVP_sha512();
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::string_view secret = key.secret.reveal();
  const unsigned char* done =
      HMAC(digest, secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  CHECK(done != nullptr);
  return std::string(reinterpret_cast<char*>(out), size);
}

// RFC 8945, 4.3: what the MAC covers.
std::string mac_of(std::string_view message, const Tsig& tsig, const Key& key,
                   std::string_view request_mac) {
  std::string text;
  if (!request_mac.empty()) {
    put16(text, static_cast<uint16_t>(request_mac.size()));
    text += request_mac;
  }
  text += message;
  text += tsig.key;
  put16(text, kClassAny);
  text.append(4, '\0');
  text += tsig.algorithm;
  put48(text, tsig.time);
  put16(text, tsig.fudge);
  put16(text, tsig.error);
  put16(text, static_cast<uint16_t>(tsig.other.size()));
  text += tsig.other;
  return hmac(key, text);
}

std::string record_of(const Tsig& tsig) {
  std::string rdata = tsig.algorithm;
  put48(rdata, tsig.time);
  put16(rdata, tsig.fudge);
  put16(rdata, static_cast<uint16_t>(tsig.mac.size()));
  rdata += tsig.mac;
  put16(rdata, tsig.original_id);
  put16(rdata, tsig.error);
  put16(rdata, static_cast<uint16_t>(tsig.other.size()));
  rdata += tsig.other;
  std::string record = tsig.key;
  put16(record, kTypeTsig);
  put16(record, kClassAny);
  record.append(4, '\0');
  put16(record, static_cast<uint16_t>(rdata.size()));
  return record + rdata;
}

uint16_t read16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                               static_cast<unsigned char>(bytes[at + 1]));
}

void write16(std::string& bytes, size_t at, int number) {
  bytes[at] = static_cast<char>(number >> 8);
  bytes[at + 1] = static_cast<char>(number & 0xff);
}

uint64_t seconds_of(base::WallTime at) {
  return static_cast<uint64_t>(at.ns / 1'000'000'000);
}

// What a server says about our signature when it cannot sign the answer itself.
std::string_view complaint(uint16_t error) {
  switch (error) {
    case 16:
      return "it says that the signature is wrong (BADSIG): are both secrets the same?";
    case 17:
      return "it says that it does not know the key (BADKEY)";
    case 18:
      return "it says that the clocks differ (BADTIME)";
    case 22:
      return "it says that the MAC is too short (BADTRUNC)";
    default:
      return "its signature is not of the key that was used";
  }
}

}  // namespace

std::string_view to_string(TsigAlgorithm algorithm) {
  return algorithm == TsigAlgorithm::kHmacSha256 ? "hmac-sha256" : "hmac-sha512";
}

SignedMessage sign(std::string message, const Key& key, base::WallTime now,
                   std::string_view request_mac) {
  CHECK(message.size() >= kHeader);
  Tsig tsig;
  tsig.key = wire_name(key.name);
  tsig.algorithm = wire_name(to_string(key.algorithm));
  tsig.time = seconds_of(now);
  tsig.fudge = kFudgeSeconds;
  tsig.original_id = read16(message, 0);
  tsig.mac = mac_of(message, tsig, key, request_mac);
  write16(message, kAdditionalCount, read16(message, kAdditionalCount) + 1);
  SignedMessage made;
  made.bytes = std::move(message) + record_of(tsig);
  made.mac = std::move(tsig.mac);
  return made;
}

base::Result<std::string> verify(std::string_view bytes, const Key& key, base::WallTime now,
                                 std::string_view request_mac) {
  Tsig tsig;
  const Found found = find_tsig(bytes, tsig);
  if (found == Found::kNonsense) return Error(ErrorCode::kInvalid, "this is no DNS message");
  if (found == Found::kNone) return Error(ErrorCode::kPermission, "it is not signed");
  if (tsig.key != wire_name(key.name) || tsig.algorithm != wire_name(to_string(key.algorithm))) {
    return Error(ErrorCode::kPermission, std::string(complaint(tsig.error)));
  }
  std::string message(bytes.substr(0, tsig.begins));
  write16(message, 0, tsig.original_id);
  write16(message, kAdditionalCount, read16(message, kAdditionalCount) - 1);
  const std::string mac = mac_of(message, tsig, key, request_mac);
  if (mac.size() != tsig.mac.size() ||
      CRYPTO_memcmp(mac.data(), tsig.mac.data(), mac.size()) != 0) {
    const std::string_view text =
        tsig.mac.empty() ? complaint(tsig.error) : "its signature is wrong";
    return Error(ErrorCode::kPermission, std::string(text));
  }
  const uint64_t here = seconds_of(now);
  const uint64_t apart = here > tsig.time ? here - tsig.time : tsig.time - here;
  if (apart > std::min(tsig.fudge, kLongestFudge)) {
    return Error(ErrorCode::kPermission, "it was signed " + std::to_string(apart) +
                                             " s away from now: do the clocks differ?");
  }
  write16(message, 0, read16(bytes, 0));
  return message;
}

}  // namespace agent::dns
