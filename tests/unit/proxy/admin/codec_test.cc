#include "proxy/admin/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace proxy::admin {
namespace {

using testing::HasSubstr;

boost::json::object object(const std::string& text) {
  return boost::json::parse(text).get_object();
}

const std::string kVerifier(64, 'a');

std::string credential(const std::string& user, int cache) {
  return R"({"user":")" + user + R"(","cache":)" + std::to_string(cache) +
         R"(,"salt":"00ff","verifier":")" + kVerifier + R"(","write":true})";
}

std::string configuration(const std::string& more = "") {
  return R"({"generation":3,"flush_sequence":9,
    "backends":[{"id":"b0","address":"127.0.0.1","port":1}],
    "caches":[{"id":1,"label":"one","generation":4,"enabled":true,
               "cas_secret":"000000000000000100000000000000ff"}],
    "credentials":[)" +
         credential("u", 1) + "]" + more + "}";
}

std::string problem(const std::string& text) {
  const auto parsed = parse_configuration(object(text));
  return parsed.ok() ? "none" : parsed.error().context;
}

TEST(Codec, ReadsBackWhatItWrites) {
  const auto parsed = parse_configuration(object(configuration()));
  ASSERT_TRUE(parsed.ok()) << parsed.error().context;
  const auto directory = configured({}, *parsed);
  const auto again = parse_configuration(to_json(*directory, parsed->backends));
  ASSERT_TRUE(again.ok()) << again.error().context;
  EXPECT_EQ(again->generation, 3u);
  EXPECT_EQ(again->flush_sequence, 9u);
  EXPECT_EQ(again->backends[0].address, "127.0.0.1");
  EXPECT_EQ(again->caches[0].label, "one");
  EXPECT_EQ(again->caches[0].generation, 4u);
  EXPECT_EQ(again->caches[0].cas_secret, (base::memcache::CasSecret{1, 0xff}));
  EXPECT_EQ(again->credentials[0].salt, std::string("\0\xff", 2));
  EXPECT_TRUE(again->credentials[0].write);
  EXPECT_FALSE(again->credentials[0].flush);
}

TEST(Codec, NamesWhatIsWrong) {
  EXPECT_THAT(problem("{}"), HasSubstr("generation: expected a number"));
  EXPECT_THAT(problem(R"({"generation":1,"caches":[{"id":16777216,"generation":1}]})"),
              HasSubstr("caches[0].id: expected a number from 1 to 16777215"));
  EXPECT_THAT(problem(R"({"generation":1,"caches":[{"id":1,"generation":1,"cas_secret":"0f"}]})"),
              HasSubstr("caches[0].cas_secret: expected 32 hex digits"));
  EXPECT_THAT(problem(R"({"generation":1,"caches":7})"), HasSubstr("caches: expected a list"));
  EXPECT_THAT(problem(R"({"generation":1,"caches":[7]})"), HasSubstr("caches[0]: expected an obj"));
  EXPECT_THAT(problem(R"({"generation":1,"backends":[{"id":"a","address":"localhost","port":1}]})"),
              HasSubstr("backends[0].address: expected a numeric"));
  EXPECT_THAT(problem(R"({"generation":1,"credentials":[{"user":"u","cache":1,"salt":"00",
                          "verifier":"00"}]})"),
              HasSubstr("credentials[0].verifier: expected 64 hex digits"));
}

TEST(Codec, AConfigurationReplacesAllButUndoesNoFlush) {
  tenant::Directory before;
  tenant::Cache cache;
  cache.id = 1;
  cache.generation = 8;
  before.put_cache(cache);
  cache.id = 2;
  before.put_cache(cache);
  before.flushed_up_to(12);
  const auto after = configured(before, *parse_configuration(object(configuration())));
  EXPECT_EQ(after->caches.find(1)->generation, 8u);
  EXPECT_EQ(after->caches.find(2), nullptr);
  EXPECT_EQ(after->flush_sequence(), 12u);
}

TEST(Codec, AChangeUpsertsAndRemoves) {
  const auto before = configured({}, *parse_configuration(object(configuration())));
  const auto change = parse_change(object(R"({"base":3,"generation":4,
      "caches":[{"id":2,"generation":1}],"credentials":[)" +
                                          credential("v", 2) +
                                          R"(],"remove_caches":[1],"remove_credentials":["u"]})"));
  ASSERT_TRUE(change.ok()) << change.error().context;
  const auto after = changed(*before, *change);
  EXPECT_EQ(after->generation, 4u);
  EXPECT_EQ(after->caches.find(1), nullptr);
  EXPECT_NE(after->caches.find(2), nullptr);
  EXPECT_EQ(after->credentials.find("u"), nullptr);
  EXPECT_NE(after->credentials.find("v"), nullptr);
  EXPECT_NE(before->credentials.find("u"), nullptr);
}

}  // namespace
}  // namespace proxy::admin
