// Meta requests as written here, understood by a real memcached; its replies, understood here.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/memcache/meta_reply.h"
#include "base/memcache/meta_writer.h"
#include "describe.h"
#include "reference_server.h"

namespace base::memcache {
namespace {

class ReferenceMeta : public ::testing::Test {
 protected:
  // Sends what `out` holds and a barrier; the replies up to the barrier, each in one line.
  std::string exchange() {
    meta::append_noop(out_);
    connection_.send(out_.view());
    out_.clear();
    std::string seen;
    std::string bytes;
    MetaReplyParser parser;
    for (size_t needed = 1;;) {
      const std::string more = connection_.receive(needed - bytes.size());
      if (more.empty()) return seen + "nothing more";
      bytes += more;
      for (;;) {
        MetaReply reply;
        const Parsed parsed = parser.parse(bytes, reply);
        if (parsed.state == ParseState::kNeedMore) {
          needed = parsed.needed;
          break;
        }
        if (parsed.state == ParseState::kError) return seen + "nonsense: " + bytes;
        if (reply.code == MetaCode::kNoop) return seen;
        last_cas_ = reply.cas;
        reply.cas = 0;
        seen += describe(reply) + "; ";
        bytes.erase(0, parsed.consumed);
      }
    }
  }

  ReferenceServer server_;
  ReferenceConnection connection_{server_};
  Buffer out_;
  uint64_t last_cas_ = 0;
  const KeyPieces key_{"k0001000010001", "name"};
  const std::string value_ = "a\r\nvalue\r\n";
};

TEST_F(ReferenceMeta, StoresAndReadsBack) {
  meta::append_store(out_, key_, static_cast<uint32_t>(value_.size()), {.flags = 4294967295u});
  out_.append(value_ + "\r\n");
  meta::append_get(
      out_, key_, {.want = {.value = true, .flags = true, .cas = true, .ttl = true, .size = true}});
  meta::append_get(out_, key_, {.want = {.flags = true, .key = true}, .opaque = 12});
  EXPECT_EQ(exchange(),
            "HD; VA has_cas has_flags has_ttl has_size flags=4294967295 ttl=-1 size=10 length=10 "
            "value=[" +
                value_ +
                "]; "
                "HD has_flags flags=4294967295 opaque=[12] key=[k0001000010001name]; ");
}

TEST_F(ReferenceMeta, RefusesByModeAndCas) {
  const auto store = [&](meta::Store options) {
    meta::append_store(out_, key_, 1, options);
    out_.append("x\r\n");
  };
  store({.mode = meta::StoreMode::kReplace});
  store({.mode = meta::StoreMode::kAppend});
  store({.mode = meta::StoreMode::kAdd, .return_cas = true});
  EXPECT_EQ(exchange(), "NS; NS; HD has_cas; ");
  const uint64_t cas = last_cas_;
  store({.mode = meta::StoreMode::kAdd});
  store({.cas = cas + 1});
  store({.mode = meta::StoreMode::kPrepend, .opaque = 5});
  EXPECT_EQ(exchange(), "NS; EX; HD opaque=[5]; ");
}

TEST_F(ReferenceMeta, CountsUpAndDown) {
  meta::append_arithmetic(out_, key_, {});
  meta::append_arithmetic(out_, key_,
                          {.initial = std::numeric_limits<uint64_t>::max(), .exptime = 60});
  meta::append_arithmetic(out_, key_, {.delta = 3, .return_cas = true});
  meta::append_arithmetic(out_, key_, {.decrement = true, .delta = 5});
  EXPECT_EQ(exchange(),
            "NF; VA length=20 value=[18446744073709551615]; VA has_cas length=1 value=[2]; "
            "VA length=1 value=[0]; ");
}

TEST_F(ReferenceMeta, TouchesAndDeletes) {
  meta::append_touch(out_, key_, 100);
  meta::append_store(out_, key_, 0, {.exptime = 100});
  out_.append("\r\n");
  meta::append_touch(out_, key_, std::numeric_limits<int64_t>::max());
  meta::append_get(out_, key_, {.want = {.value = true}, .touch = 0});
  meta::append_get(out_, key_, {.want = {.ttl = true}});
  meta::append_delete(out_, key_, {.cas = 1234567});
  meta::append_delete(out_, key_, {});
  meta::append_delete(out_, key_, {.opaque = 9});
  meta::append_get(out_, key_, {.want = {.value = true}});
  EXPECT_EQ(exchange(), "EN; HD; HD; VA; HD has_ttl ttl=-1; EX; HD; NF opaque=[9]; EN; ");
}

TEST_F(ReferenceMeta, SaysNothingWhenQuietAndNominal) {
  meta::append_get(out_, key_, {.want = {.value = true}, .quiet = true});
  meta::append_store(out_, key_, 1, {.quiet = true});
  out_.append("x\r\n");
  meta::append_delete(out_, key_, {.quiet = true});
  EXPECT_EQ(exchange(), "");
}

TEST_F(ReferenceMeta, UnderstandsWhatAProberAsks) {
  out_.append("version\r\nflush_all\r\nbogus\r\nms a x\r\n");
  out_.append("set number 0 0 1 noreply\r\n4\r\nincr number 1\r\n");
  EXPECT_EQ(exchange(),
            "VERSION text=[1.6.18]; OK; ERROR; CLIENT_ERROR text=[bad command line format]; "
            "number number=5; ");
  out_.append("stats\r\n");
  const std::string statistics = exchange();
  EXPECT_EQ(statistics.substr(0, 15), "STAT text=[pid ");
  EXPECT_EQ(statistics.substr(statistics.size() - 7), "; END; ");
}

}  // namespace
}  // namespace base::memcache
