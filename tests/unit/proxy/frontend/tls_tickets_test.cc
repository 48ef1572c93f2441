// Keys of session tickets over hours of virtual time, used as OpenSSL uses them.
#include "proxy/frontend/tls_tickets.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "base/core/check.h"
#include "tests/support/manual_time.h"

namespace proxy {
namespace {

constexpr base::Duration kInstant = std::chrono::nanoseconds(1);

struct Ticket {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
  std::string sealed;
  std::array<unsigned char, 32> tag{};
};

struct Opened {
  int answer = 0;  // of set_up
  std::string text;
};

// What OpenSSL does around TlsTickets::set_up.
class Keys {
 public:
  explicit Keys(base::Clock& clock) : tickets_(clock) {}

  Ticket seal(const std::string& text) {
    Ticket ticket;
    const Contexts contexts;
    CHECK(tickets_.set_up(ticket.name.data(), ticket.iv.data(), contexts.cipher, contexts.mac,
                          true) == 1);
    ticket.sealed.resize(text.size() + EVP_MAX_BLOCK_LENGTH);
    int first = 0, last = 0;
    auto* const out = reinterpret_cast<unsigned char*>(ticket.sealed.data());
    CHECK(EVP_EncryptUpdate(contexts.cipher, out, &first, bytes(text), int(text.size())) == 1);
    CHECK(EVP_EncryptFinal_ex(contexts.cipher, out + first, &last) == 1);
    ticket.sealed.resize(size_t(first + last));
    ticket.tag = tag_of(contexts.mac, ticket.sealed);
    return ticket;
  }

  Opened open(Ticket ticket) {
    const Contexts contexts;
    Opened opened;
    opened.answer =
        tickets_.set_up(ticket.name.data(), ticket.iv.data(), contexts.cipher, contexts.mac, false);
    if (opened.answer <= 0) return opened;
    EXPECT_EQ(tag_of(contexts.mac, ticket.sealed), ticket.tag);
    opened.text.resize(ticket.sealed.size() + EVP_MAX_BLOCK_LENGTH);
    int first = 0, last = 0;
    auto* const out = reinterpret_cast<unsigned char*>(opened.text.data());
    EXPECT_EQ(EVP_DecryptUpdate(contexts.cipher, out, &first, bytes(ticket.sealed),
                                int(ticket.sealed.size())),
              1);
    EXPECT_EQ(EVP_DecryptFinal_ex(contexts.cipher, out + first, &last), 1);
    opened.text.resize(size_t(first + last));
    return opened;
  }

 private:
  struct Contexts {
    Contexts() {
      EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
      mac = EVP_MAC_CTX_new(hmac);
      EVP_MAC_free(hmac);
      CHECK(cipher != nullptr && mac != nullptr);
    }
    ~Contexts() {
      EVP_CIPHER_CTX_free(cipher);
      EVP_MAC_CTX_free(mac);
    }
    Contexts(const Contexts&) = delete;
    Contexts& operator=(const Contexts&) = delete;
    EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX* mac = nullptr;
  };

  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }
  static std::array<unsigned char, 32> tag_of(EVP_MAC_CTX* mac, const std::string& sealed) {
    std::array<unsigned char, 32> tag{};
    size_t size = 0;
    CHECK(EVP_MAC_init(mac, nullptr, 0, nullptr) == 1);
    CHECK(EVP_MAC_update(mac, bytes(sealed), sealed.size()) == 1);
    CHECK(EVP_MAC_final(mac, tag.data(), &size, tag.size()) == 1 && size == tag.size());
    return tag;
  }

  TlsTickets tickets_;
};

class TlsTicketsTest : public testing::Test {
 protected:
  test::ManualClock clock_;
  Keys keys_{clock_};
};

TEST_F(TlsTicketsTest, OpenWhatTheySealedWithoutRenewingIt) {
  const Ticket ticket = keys_.seal("a session");
  clock_.advance(TlsTickets::kRotation - kInstant);
  const Opened opened = keys_.open(ticket);
  EXPECT_EQ(opened.answer, 1);
  EXPECT_EQ(opened.text, "a session");
}

TEST_F(TlsTicketsTest, OpenAndRenewThroughTheNextRotationAndRefuseAfterIt) {
  keys_.seal("the first");
  clock_.advance(TlsTickets::kRotation - kInstant);
  const Ticket last = keys_.seal("the last of its key");
  clock_.advance(kInstant);
  EXPECT_EQ(keys_.open(last).answer, 2);
  clock_.advance(TlsTickets::kRotation - kInstant);
  const Opened opened = keys_.open(last);
  EXPECT_EQ(opened.answer, 2);
  EXPECT_EQ(opened.text, "the last of its key");
  clock_.advance(kInstant);
  EXPECT_EQ(keys_.open(last).answer, 0);
}

TEST_F(TlsTicketsTest, SealByTheNewestKey) {
  const Ticket before = keys_.seal("x");
  EXPECT_EQ(keys_.seal("x").name, before.name);
  clock_.advance(TlsTickets::kRotation);
  const Ticket after = keys_.seal("x");
  EXPECT_NE(after.name, before.name);
  EXPECT_NE(after.sealed, before.sealed);
  EXPECT_EQ(keys_.open(after).answer, 1);
  EXPECT_EQ(keys_.open(before).answer, 2);
  EXPECT_EQ(keys_.seal("x").name, after.name) << "opening an old one does not bring its key back";
}

TEST_F(TlsTicketsTest, KeepToTheirTimesThoughNobodyComes) {
  const Ticket ticket = keys_.seal("x");
  // Nobody for almost two rotations: the first of them is late, the second is not.
  clock_.advance(2 * TlsTickets::kRotation - kInstant);
  EXPECT_EQ(keys_.open(ticket).answer, 2);
  clock_.advance(kInstant);
  EXPECT_EQ(keys_.open(ticket).answer, 0);
}

TEST_F(TlsTicketsTest, RefuseWhatIsOldAfterALongSilence) {
  const Ticket ticket = keys_.seal("x");
  clock_.advance(10 * TlsTickets::kRotation);
  EXPECT_EQ(keys_.open(ticket).answer, 0);
  const Ticket fresh = keys_.seal("y");
  clock_.advance(TlsTickets::kRotation - kInstant);
  EXPECT_EQ(keys_.open(fresh).answer, 1);
}

TEST_F(TlsTicketsTest, RefuseThoseOfAnotherProcess) {
  Keys other(clock_);
  keys_.seal("x");
  EXPECT_EQ(keys_.open(other.seal("x")).answer, 0);
}

}  // namespace
}  // namespace proxy
