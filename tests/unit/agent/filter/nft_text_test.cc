#include "agent/filter/nft_text.h"

#include <gtest/gtest.h>

namespace agent::filter {
namespace {

using namespace std::chrono_literals;

// As nft 1.0.6 writes them.
constexpr const char* kEnd =
    R"({"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}]})"
    "\n";
std::string listing(const std::string& things) {
  return R"({"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "inet", "name": )"
         R"("mcguard", "handle": 1}})" +
         things + "]}\n" + kEnd;
}
std::string in_set(const std::string& name, const std::string& elements) {
  return listing(R"(, {"set": {"family": "inet", "name": ")" + name +
                 R"(", "table": "mcguard", "type": "ipv4_addr", "elem": [)" + elements + "]}}");
}

TEST(NftText, AddsDeletesAndAddsAgainSoThatWhatStandsIsRenewed) {
  FilterChange::Addition addition;
  addition.subject = *Subject::parse("203.0.113.9");
  addition.mode = Mode::kBlock;
  addition.run = "run-1/block";
  addition.ttl = 1500ms;
  FilterChange::Removal removal;
  removal.subject = *Subject::parse("2001:db8::1");
  const std::string text = change_line({addition}, {removal});
  EXPECT_EQ(
      text.substr(0, text.find('\n')),
      R"({"nftables":[)"
      R"({"add":{"element":{"family":"inet","table":"mcguard","name":"count6","elem":[{"elem":{"val":"2001:db8::","timeout":1}}]}}},)"
      R"({"delete":{"element":{"family":"inet","table":"mcguard","name":"count6","elem":[{"elem":{"val":"2001:db8::","timeout":1}}]}}},)"
      R"({"add":{"element":{"family":"inet","table":"mcguard","name":"block4","elem":[{"elem":{"val":"203.0.113.9","timeout":2,"comment":"run-1/block"}}]}}},)"
      R"({"delete":{"element":{"family":"inet","table":"mcguard","name":"block4","elem":[{"elem":{"val":"203.0.113.9","timeout":2,"comment":"run-1/block"}}]}}},)"
      R"({"add":{"element":{"family":"inet","table":"mcguard","name":"block4","elem":[{"elem":{"val":"203.0.113.9","timeout":2,"comment":"run-1/block"}}]}}}]})");
}

TEST(NftText, NamesNoTableButOurs) {
  const std::string all = setup_line({11211, 11212}) + list_line() + remove_line();
  EXPECT_EQ(all.find("flush ruleset"), std::string::npos);
  for (size_t at = all.find("inet "); at != std::string::npos; at = all.find("inet ", at + 1)) {
    EXPECT_EQ(all.substr(at, 12), "inet mcguard");
  }
}

TEST(NftAnswer, HasTheFiltersThatStand) {
  const std::string output = in_set(
      "block4",
      R"({"elem": {"val": "203.0.113.9", "timeout": 600, "expires": 599, "comment": "run-1", "counter": {"packets": 8, "bytes": 480}}})");
  ASSERT_TRUE(is_whole_answer(output));
  const auto answer = read_answer(output);
  ASSERT_TRUE(answer.ok()) << answer.error().context;
  EXPECT_EQ(answer->complaint, "");
  ASSERT_EQ(answer->standing->filters.size(), 1u);
  const Filter& filter = answer->standing->filters[0];
  EXPECT_EQ(filter.subject.text(), "203.0.113.9/32");
  EXPECT_EQ(filter.mode, Mode::kBlock);
  EXPECT_EQ(filter.run, "run-1");
  EXPECT_EQ(filter.ttl, base::Duration(600s));
  EXPECT_EQ(filter.age(), base::Duration(1s));
  EXPECT_EQ(filter.packets, 8u);
}

TEST(NftAnswer, HasWhatWasRefused) {
  const auto answer = read_answer(listing(
      R"(, {"rule": {"chain": "refuse4", "expr": [{"set": {}}, {"counter": {"packets": 5, "bytes": 1}}, {"reject": {"type": "tcp reset"}}]}})"
      R"(, {"rule": {"chain": "refuse4", "expr": [{"counter": {"packets": 3, "bytes": 1}}, {"drop": null}]}})"));
  ASSERT_TRUE(answer.ok()) << answer.error().context;
  EXPECT_EQ(answer->standing->refusals.reset, 5u);
  EXPECT_EQ(answer->standing->refusals.dropped, 3u);
}

// A list of an operator's additions to the table.
TEST(NftAnswer, PassesOverWhatIsNotOurs) {
  const std::string output = listing(
      R"(, {"counter": {"family": "inet", "name": "seen", "table": "mcguard", "packets": 0}})"
      R"(, {"quota": {"family": "inet", "name": "month", "bytes": 5}})"
      R"(, {"map": {"family": "inet", "name": "block4", "elem": [["203.0.113.8", {"drop": null}]]}})"
      R"(, {"ct helper": {"name": "ftp"}}, {"flowtable": {}})"
      R"(, {"chain": {"family": "inet", "name": "own"}})"
      R"(, {"rule": {"chain": "own", "expr": [{"counter": "seen"}, {"drop": null}]}})"
      R"(, {"set": {"family": "inet", "name": "block4", "elem": [{"elem": {"val": "203.0.113.9"}}]}})");
  ASSERT_TRUE(is_whole_answer(output));
  const auto answer = read_answer(output);
  ASSERT_TRUE(answer.ok()) << answer.error().context;
  ASSERT_EQ(answer->standing->filters.size(), 1u);
  EXPECT_EQ(answer->standing->filters[0].subject.text(), "203.0.113.9/32");
  EXPECT_EQ(answer->standing->refusals.dropped, 0u);
  EXPECT_FALSE(
      read_answer(listing(R"(, {"rule": {"chain": "refuse4", "expr": [{"counter": 5}]}})")).ok())
      << "ours are as strict as before";
}

TEST(NftAnswer, HasWhatWasMadeByHandAsNobodys) {
  const auto answer = read_answer(
      in_set("count4", R"({"elem": {"val": "203.0.113.9", "comment": "see ticket 5"}})"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->standing->filters[0].run, "");
  EXPECT_EQ(answer->standing->filters[0].ttl, base::Duration(0s));
}

TEST(NftAnswer, IsWholeOnlyWithItsEnd) {
  const std::string output = "Error: No such file or directory\n" + in_set("block4", "");
  for (size_t size = 0; size < output.size(); ++size) {
    EXPECT_FALSE(is_whole_answer(output.substr(0, size))) << size;
    EXPECT_FALSE(read_answer(output.substr(0, size)).ok() && size + 1 < output.size()) << size;
  }
  EXPECT_TRUE(is_whole_answer(output));
}

TEST(NftAnswer, KeepsComplaintsApart) {
  const auto answer = read_answer(
      std::string("internal:0:0-0: Error: Could not process rule: No such file or directory\n\n") +
      kEnd);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->complaint,
            "internal:0:0-0: Error: Could not process rule: No such file or directory");
  EXPECT_TRUE(is_missing(answer->complaint));
  EXPECT_FALSE(answer->standing.has_value());
}

TEST(NftAnswer, RefusesWhatIsOdd) {
  for (const char* element :
       {R"("203.0.113.9")", R"({"elem": {"timeout": 1}})", R"({"elem": {"val": "x"}})",
        R"({"elem": {"val": "10.0.0.0/8"}})", R"({"elem": {"val": "2001:db8::"}})",
        R"({"elem": {"val": "203.0.113.9", "timeout": -1}})",
        R"({"elem": {"val": "203.0.113.9", "timeout": 5, "expires": 6}})",
        R"({"elem": {"val": "203.0.113.9", "timeout": "5"}})",
        R"({"elem": {"val": "203.0.113.9", "timeout": 18446744073709551615}})",
        R"({"elem": {"val": {"range": ["10.0.0.1", "10.0.0.2"]}}})",
        R"({"elem": {"val": "203.0.113.9", "counter": {"packets": -1}}})",
        R"({"elem": {"val": "203.0.113.9", "counter": 5}})"}) {
    const auto answer = read_answer(in_set("block4", element));
    ASSERT_FALSE(answer.ok()) << element;
    EXPECT_EQ(answer.code(), base::ErrorCode::kInvalid);
  }
  for (const std::string& output :
       {std::string(kEnd) + kEnd, listing("") + kEnd, std::string("{\"nftables\": 5}\n") + kEnd,
        std::string("{\"nftables\": [{\"table\": 5}]}\n"), std::string("garbage\n")}) {
    EXPECT_FALSE(read_answer(output).ok()) << output;
  }
}

TEST(NftError, NamesTheRemedy) {
  const auto says = [](std::string_view complaint, base::ErrorCode code, const char* remedy) {
    const base::Error error = nft_error(complaint);
    EXPECT_EQ(error.code, code) << complaint;
    EXPECT_NE(error.context.find(remedy), std::string::npos) << error.context;
  };
  says("Operation not permitted (you must be root)", base::ErrorCode::kPermission, "CAP_NET_ADMIN");
  says("netlink: Error: cache initialization failed: Protocol not supported",
       base::ErrorCode::kUnavailable, "nf_tables");
  says("Error: Could not process rule: File exists", base::ErrorCode::kConflict,
       "nft delete table inet mcguard");
  says("Error: Could not process rule: Too many open files in system", base::ErrorCode::kExhausted,
       "no more filters");
}

}  // namespace
}  // namespace agent::filter
