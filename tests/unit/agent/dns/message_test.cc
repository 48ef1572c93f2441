// What is put into messages and read from them, and their signatures, checked against libldns's.
#include "agent/dns/message.h"

#include <gtest/gtest.h>
#include <ldns/ldns.h>

#include <memory>

#include "agent/dns/change.h"
#include "agent/dns/tsig.h"
#include "base/core/text.h"

namespace agent::dns {
namespace {

using namespace std::chrono_literals;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

Packet decoded(const std::string& bytes) {
  ldns_pkt* packet = nullptr;
  EXPECT_EQ(ldns_wire2pkt(&packet, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
            LDNS_STATUS_OK);
  return Packet(packet);
}

// One line per record, blanks for tabs.
std::string text_of(const ldns_rr_list* list) {
  std::string text;
  for (size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
    char* line = ldns_rr2str(ldns_rr_list_rr(list, i));
    text += line;
    ::free(line);
  }
  for (char& c : text) c = c == '\t' ? ' ' : c;
  return text;
}

NameState state(uint64_t generation, const std::string& run, Target target) {
  NameState made;
  made.generation = generation;
  made.run = run;
  made.ttl = 30s;
  made.target = std::move(target);
  return made;
}
Target alias(const std::string& name) {
  Target target;
  target.alias = name;
  return target;
}
Target addresses(std::vector<std::string> list) {
  Target target;
  target.addresses = std::move(list);
  return target;
}

Key a_key(TsigAlgorithm algorithm = TsigAlgorithm::kHmacSha256) {
  Key key;
  key.name = "mover.example";
  key.algorithm = algorithm;
  key.secret = base::Secret("0123456789abcdef0123456789abcdef");
  return key;
}

base::WallTime now() {
  return base::SystemClock().wall();
}

TEST(DnsUpdate, RequiresExactlyWhatStandsThereAndReplacesItAtOnce) {
  const auto bytes =
      encode_update("cache.test", "a.cache.test", state(5, "run-5", alias("amber.example.net")),
                    state(6, "run-6", addresses({"10.0.0.1", "2001:db8::1"})));
  ASSERT_TRUE(bytes.ok());
  const Packet packet = decoded(*bytes);
  EXPECT_EQ(ldns_pkt_get_opcode(packet.get()), LDNS_PACKET_UPDATE);
  EXPECT_EQ(text_of(ldns_pkt_question(packet.get())), "cache.test. IN SOA\n");
  // "\# 0" stands for no value.
  EXPECT_EQ(text_of(ldns_pkt_answer(packet.get())),
            "_gen.a.cache.test. 0 IN TXT \"gen=5 run=run-5\"\n"
            "a.cache.test. 0 IN CNAME amber.example.net.\n"
            "a.cache.test. 0 NONE A \\# 0\n"
            "a.cache.test. 0 NONE AAAA \\# 0\n");
  EXPECT_EQ(text_of(ldns_pkt_authority(packet.get())),
            "a.cache.test. 0 ANY CNAME \\# 0\n"
            "a.cache.test. 0 ANY A \\# 0\n"
            "a.cache.test. 0 ANY AAAA \\# 0\n"
            "_gen.a.cache.test. 0 ANY TXT \\# 0\n"
            "a.cache.test. 30 IN A 10.0.0.1\n"
            "a.cache.test. 30 IN AAAA 2001:db8::1\n"
            "_gen.a.cache.test. 30 IN TXT \"gen=6 run=run-6\"\n");
}

TEST(DnsUpdate, OfANewNameRequiresThatNothingIsThere) {
  const auto bytes = encode_update("cache.test", "a.cache.test", NameState(),
                                   state(6, "run-6", alias("b.example.net")));
  const Packet packet = decoded(bytes.value());
  EXPECT_EQ(text_of(ldns_pkt_answer(packet.get())),
            "_gen.a.cache.test. 0 NONE TXT \\# 0\na.cache.test. 0 NONE ANY \\# 0\n");
}

TEST(DnsUpdate, ToACnameRequiresThatNothingElseIsThere) {
  const auto bytes =
      encode_update("cache.test", "a.cache.test", state(5, "run-5", addresses({"10.0.0.1"})),
                    state(6, "run-6", alias("b.example.net")));
  const std::string text = text_of(ldns_pkt_answer(decoded(bytes.value()).get()));
  for (const char* type :
       {"CNAME", "AAAA",  "TXT", "MX",  "SRV",  "NS",    "CAA", "HTTPS", "SVCB", "PTR",
        "NAPTR", "DNAME", "DS",  "SOA", "TLSA", "SSHFP", "LOC", "HINFO", "RP",   "URI"}) {
    const std::string line = std::string("a.cache.test. 0 NONE ") + type + " \\# 0\n";
    EXPECT_NE(text.find("\n" + line), std::string::npos) << type << " in\n" << text;
  }
}

TEST(DnsUpdate, NeverEmptiesAName) {
  const auto bytes =
      encode_update("cache.test", "a.cache.test", state(5, "r", alias("b.x")), state(6, "r", {}));
  EXPECT_FALSE(bytes.ok());
}

TEST(DnsAnswer, IsReadByOwnerTypeAndValue) {
  const Packet packet(ldns_pkt_new());
  ldns_pkt_set_qr(packet.get(), true);
  ldns_pkt_set_aa(packet.get(), true);
  for (const char* line :
       {"A.Cache.test. 30 IN CNAME B.Example.NET.", "b.example.net. 5 IN A 10.0.0.1",
        "b.example.net. 5 IN AAAA 2001:DB8:0::1",
        "_gen.a.cache.test. 9 IN TXT \"gen=1 \" \"run=r\"",
        "a.cache.test. 30 IN MX 10 b.example.net."}) {
    ldns_rr* record = nullptr;
    ASSERT_EQ(ldns_rr_new_frm_str(&record, line, 0, nullptr, nullptr), LDNS_STATUS_OK);
    ldns_pkt_push_rr(packet.get(), LDNS_SECTION_ANSWER, record);
  }
  uint8_t* bytes = nullptr;
  size_t size = 0;
  ASSERT_EQ(ldns_pkt2wire(&bytes, packet.get(), &size), LDNS_STATUS_OK);
  const auto answer = decode_answer({reinterpret_cast<char*>(bytes), size});
  ::free(bytes);
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->authoritative);
  ASSERT_EQ(answer->records.size(), 5u);
  EXPECT_EQ(answer->records[0].owner, "a.cache.test");
  EXPECT_EQ(answer->records[0].value, "b.example.net");
  EXPECT_EQ(answer->records[0].ttl, 30u);
  EXPECT_EQ(answer->records[2].type, RecordType::kAaaa);
  EXPECT_EQ(answer->records[2].value, "2001:db8::1");
  EXPECT_EQ(answer->records[3].value, "gen=1 run=r");
  EXPECT_EQ(answer->records[4].type, RecordType::kOther);
}

TEST(Tsig, OfOursIsRightForLibldns) {
  for (const auto algorithm : {TsigAlgorithm::kHmacSha256, TsigAlgorithm::kHmacSha512}) {
    const Key key = a_key(algorithm);
    const SignedMessage made =
        sign(encode_question("a.cache.test", RecordType::kA).value(), key, now());
    const Packet packet = decoded(made.bytes);
    const std::string secret = base::base64_encode(key.secret.reveal());
    EXPECT_TRUE(ldns_pkt_tsig_verify(packet.get(),
                                     reinterpret_cast<const uint8_t*>(made.bytes.data()),
                                     made.bytes.size(), "mover.example.", secret.c_str(), nullptr));
  }
}

TEST(Tsig, OfLibldnsIsRightForUs) {
  const Key key = a_key();
  const std::string question = encode_question("a.cache.test", RecordType::kA).value();
  const Packet packet = decoded(question);
  const std::string secret = base::base64_encode(key.secret.reveal());
  ASSERT_EQ(ldns_pkt_tsig_sign(packet.get(), "Mover.Example.", secret.c_str(), 300, "hmac-sha256.",
                               nullptr),
            LDNS_STATUS_OK);
  uint8_t* bytes = nullptr;
  size_t size = 0;
  ASSERT_EQ(ldns_pkt2wire(&bytes, packet.get(), &size), LDNS_STATUS_OK);
  const std::string wire(reinterpret_cast<char*>(bytes), size);
  ::free(bytes);
  const auto verified = verify(wire, key, now());
  ASSERT_TRUE(verified.ok()) << verified.error().context;
  EXPECT_EQ(*verified, question);
  EXPECT_FALSE(verify(wire, a_key(TsigAlgorithm::kHmacSha512), now()).ok());
}

TEST(Tsig, IsWrongWhateverByteChanges) {
  const Key key = a_key();
  const std::string mac(32, 'm');
  const auto question = encode_question("a.cache.test", RecordType::kA).value();
  const std::string good = sign(question, key, now(), mac).bytes;
  ASSERT_EQ(verify(good, key, now(), mac).value(), question);
  EXPECT_FALSE(verify(good, key, now()).ok());
  EXPECT_FALSE(verify(good, key, now(), std::string(32, 'n')).ok());
  for (size_t at = 2; at < good.size(); ++at) {  // the id may be another
    for (const int change : {1, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ change);
      const auto verified = verify(bad, key, now(), mac);
      // Upper case in the key's name is the same name.
      EXPECT_FALSE(verified.ok() && *verified != question) << at;
    }
    EXPECT_FALSE(verify(good.substr(0, at), key, now(), mac).ok()) << at;
  }
  EXPECT_FALSE(verify(good + "x", key, now(), mac).ok());
}

TEST(Tsig, HoldsForAMinuteEitherWay) {
  const Key key = a_key();
  const std::string made =
      sign(encode_question("a.cache.test", RecordType::kA).value(), key, now()).bytes;
  EXPECT_TRUE(verify(made, key, now() + 55s).ok());
  EXPECT_TRUE(verify(made, key, now() + -55s).ok());
  EXPECT_FALSE(verify(made, key, now() + 65s).ok());
  EXPECT_FALSE(verify(made, key, now() + -65s).ok());
}

TEST(Generation, IsReadAsItIsWritten) {
  const auto read = parse_generation(generation_text(18446744073709551615u, "run-2026/a:b_c.d"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->number, 18446744073709551615u);
  EXPECT_EQ(read->run, "run-2026/a:b_c.d");
  for (const char* text : {"", "gen=", "gen=1", "gen=1 run=", "gen=0 run=r", "gen=-1 run=r",
                           "gen=18446744073709551616 run=r", "gen=1 run=a b", "gen=01x run=r",
                           " gen=1 run=r", "gen=1  run=r"}) {
    EXPECT_FALSE(parse_generation(text).has_value()) << text;
  }
}

TEST(Names, AreNormalOrRefused) {
  EXPECT_EQ(normal_name("A.Example.").value(), "a.example");
  for (const std::string& text :
       {std::string(), std::string("."), std::string("a..b"), std::string("-a.b"),
        std::string("a-.b"), std::string("*.b"), std::string("a b"), std::string("a.b.."),
        std::string("\xc3\xa4.b"), std::string(64, 'a'), "a." + std::string(260, 'b')}) {
    EXPECT_FALSE(normal_name(text).ok()) << text;
  }
  EXPECT_FALSE(name_in_zone("cache.test", "cache.test").ok());
  EXPECT_FALSE(name_in_zone("acache.test", "cache.test").ok());
  EXPECT_FALSE(name_in_zone("_gen.a.cache.test", "cache.test").ok());
  EXPECT_TRUE(name_in_zone("a.b.cache.test.", "cache.test").ok());
}

}  // namespace
}  // namespace agent::dns
