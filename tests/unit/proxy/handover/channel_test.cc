#include "proxy/handover/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace proxy::handover {
namespace {

using base::net::UniqueFd;

std::pair<UniqueFd, UniqueFd> connected() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A descriptor from which `letter` can be read.
UniqueFd holding(char letter) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd write_end(ends[1]);
  EXPECT_EQ(::write(write_end.get(), &letter, 1), 1);
  return UniqueFd(ends[0]);
}

char letter_in(const UniqueFd& fd) {
  char letter = 0;
  EXPECT_EQ(::read(fd.get(), &letter, 1), 1);
  return letter;
}

// Exchanges on both sides until `to` has a frame.
Frame pass(Channel& from, Channel& to) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(from.exchange().ok());
    EXPECT_TRUE(to.exchange().ok());
    auto frame = to.next();
    EXPECT_TRUE(frame.ok());
    if (frame.ok() && *frame) return std::move(**frame);
  }
  ADD_FAILURE() << "no frame came";
  return {};
}

TEST(FrameReader, FindsFramesAtEverySplit) {
  const std::string text = encode_frame(FrameType::kHello, "{}", 0) +
                           encode_frame(FrameType::kWarm, "", 0) +
                           encode_frame(FrameType::kSealed, "body", 0);
  for (size_t split = 0; split <= text.size(); ++split) {
    FrameReader reader;
    std::string seen;
    for (const std::string& part : {text.substr(0, split), text.substr(split)}) {
      reader.feed(part);
      for (;;) {
        const auto frame = reader.next();
        ASSERT_TRUE(frame.ok());
        if (!*frame) break;
        seen += std::to_string(int((*frame)->type)) + (*frame)->body + ";";
      }
    }
    EXPECT_EQ(seen, "1{};4;5body;") << split;
  }
}

TEST(FrameReader, RefusesWhatNoProcessOfOursSays) {
  const std::string good = encode_frame(FrameType::kTaken, "1234", 0);
  struct Case {
    size_t at;
    char to;
  };
  for (const Case& one : {Case{0, 0}, Case{0, 99}, Case{1, 1}, Case{2, char(251)}, Case{3, 1},
                          Case{7, char(0x7f)}, Case{2, 1}}) {
    std::string bad = good;
    bad[one.at] = one.to;
    FrameReader reader;
    reader.feed(bad);
    EXPECT_FALSE(reader.next().ok()) << one.at << " " << int(one.to);
  }
}

TEST(Channel, CarriesDescriptorsWithTheFrameTheyBelongTo) {
  auto [a, b] = connected();
  Channel from(std::move(a)), to(std::move(b));
  const UniqueFd x = holding('x'), y = holding('y'), z = holding('z');
  from.push(FrameType::kListeners, "one", {x.get()});
  from.push(FrameType::kHello, "none");
  from.push(FrameType::kClients, "two", {y.get(), z.get()});
  const Frame first = pass(from, to), second = pass(from, to), third = pass(from, to);
  ASSERT_EQ(first.descriptors.size(), 1u);
  EXPECT_EQ(letter_in(first.descriptors[0]), 'x');
  EXPECT_EQ(second.body, "none");
  EXPECT_TRUE(second.descriptors.empty());
  ASSERT_EQ(third.descriptors.size(), 2u);
  EXPECT_EQ(letter_in(third.descriptors[0]), 'y');
  EXPECT_EQ(letter_in(third.descriptors[1]), 'z');
}

TEST(Channel, CarriesMoreThanTheSocketHolds) {
  auto [a, b] = connected();
  Channel from(std::move(a)), to(std::move(b));
  const UniqueFd x = holding('x');
  const std::string large(5u << 20, 'v');
  const std::vector<int> many(kMostDescriptors, x.get());
  from.push(FrameType::kClients, large, many);
  from.push(FrameType::kClients, "after", many);
  const Frame frame = pass(from, to);
  EXPECT_EQ(frame.body, large);
  EXPECT_EQ(frame.descriptors.size(), kMostDescriptors);
  const Frame after = pass(from, to);
  EXPECT_EQ(after.body, "after");
  EXPECT_EQ(after.descriptors.size(), kMostDescriptors);
}

// The exactness of a hand-over that fails rests on this.
TEST(Channel, AfterShuttingWhatWasSaidBeforeIsAllThereIs) {
  auto [a, b] = connected();
  Channel old_side(std::move(a)), new_side(std::move(b));
  new_side.push(FrameType::kTaken, "before");
  ASSERT_TRUE(new_side.exchange().ok());
  old_side.shut();
  new_side.push(FrameType::kTaken, "after");
  EXPECT_FALSE(new_side.exchange().ok());
  EXPECT_EQ(old_side.exchange().code(), base::ErrorCode::kUnavailable);
  const auto frame = old_side.next();
  ASSERT_TRUE(frame.ok());
  ASSERT_TRUE(frame->has_value());
  EXPECT_EQ((*frame)->body, "before");
  EXPECT_FALSE(old_side.next()->has_value());
}

// Lowers the limit of open files while it lives.
class FewDescriptors {
 public:
  // `room`: how many more can be opened.
  explicit FewDescriptors(size_t room) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    std::vector<UniqueFd> next;
    while (next.size() <= room) next.emplace_back(::dup(0));
    rlimit fewer = before_;
    fewer.rlim_cur = static_cast<rlim_t>(next.back().get());
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &fewer), 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Channel, FailsForGoodWhenADescriptorIsLost) {
  for (const size_t room : {0, 1, 2}) {
    auto [a, b] = connected();
    Channel from(std::move(a)), to(std::move(b));
    const UniqueFd x = holding('x'), y = holding('y'), z = holding('z');
    from.push(FrameType::kClients, "one", {x.get(), y.get(), z.get()});
    ASSERT_TRUE(from.exchange().ok());
    {
      const FewDescriptors few(room);
      EXPECT_EQ(to.exchange().code(), base::ErrorCode::kExhausted) << room;
    }
    // There is room again, but nobody can say any more whose socket is whose.
    from.push(FrameType::kClients, "two", {z.get()});
    EXPECT_TRUE(from.exchange().ok());
    EXPECT_EQ(to.exchange().code(), base::ErrorCode::kExhausted) << room;
    EXPECT_EQ(to.next().code(), base::ErrorCode::kExhausted) << room;
    EXPECT_EQ(to.exchange().code(), base::ErrorCode::kExhausted) << room;
  }
}

TEST(Channel, FailsForGoodAfterNonsense) {
  auto [a, b] = connected();
  Channel from(std::move(a)), to(std::move(b));
  std::string nonsense = "GET / HTTP/1.1";
  ASSERT_EQ(::write(from.fd(), nonsense.data(), nonsense.size()), ssize_t(nonsense.size()));
  ASSERT_TRUE(to.exchange().ok());
  EXPECT_EQ(to.next().code(), base::ErrorCode::kInvalid);
  from.push(FrameType::kWarm, "");
  ASSERT_TRUE(from.exchange().ok());
  EXPECT_EQ(to.exchange().code(), base::ErrorCode::kInvalid);
  EXPECT_EQ(to.next().code(), base::ErrorCode::kInvalid);
}

}  // namespace
}  // namespace proxy::handover
