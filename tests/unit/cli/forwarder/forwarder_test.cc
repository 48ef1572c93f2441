// The forwarder over loopback, with ephemeral ports: a listening socket stands for the backend.
#include "cli/forwarder/forwarder.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/json/parse.hpp>
#include <thread>

#include "cli/forwarder/control.h"
#include "cli/forwarder/echo_path.h"

namespace cli {
namespace {

using base::net::UniqueFd;
using namespace std::chrono_literals;

bool readable(int fd, int timeout_ms) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, timeout_ms) == 1;
}

// Everything until `size` bytes have come or the other end has closed.
std::string receive(int fd, size_t size) {
  std::string text;
  char chunk[65536];
  while (text.size() < size && readable(fd, 10'000)) {
    const ssize_t count = ::recv(fd, chunk, sizeof chunk, 0);
    if (count <= 0) break;
    text.append(chunk, static_cast<size_t>(count));
  }
  return text;
}

void send_text(int fd, std::string_view text) {
  ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() : forwarder_(clock_, 1), loop_([this] { forwarder_.run(); }) {
    backend_ = std::move(*listen_at({"127.0.0.1", 0}));
    LinkSpec spec;
    spec.name = {"l1", "amber", "amber-proxy-1", "amber-backend-1"};
    spec.listen = {"127.0.0.1", 0};
    spec.target = {"127.0.0.1", bound_port(backend_.get())};
    forwarder_.call([&] {
      EXPECT_TRUE(forwarder_.set_links({spec}).ok());
      spec_ = forwarder_.links().at(0);
    });
  }
  ~ForwarderTest() override {
    forwarder_.stop();
    loop_.join();
  }

  void connect() {
    proxy_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(spec_.listen.port);
    ASSERT_EQ(::connect(proxy_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(readable(backend_.get(), 10'000));
    peer_.reset(::accept4(backend_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(peer_.valid());
  }
  base::Result<boost::json::value> call(const std::string& verb, const std::string& args) {
    base::net::RpcRequest request;
    request.verb = verb;
    request.args = boost::json::parse(args).as_object();
    return answer_control(forwarder_, request);
  }

  base::SystemClock clock_;
  Forwarder forwarder_;
  std::thread loop_;
  LinkSpec spec_;
  UniqueFd backend_;
  UniqueFd proxy_;
  UniqueFd peer_;
};

TEST_F(ForwarderTest, PassesBytesBothWays) {
  connect();
  send_text(proxy_.get(), "get a\r\n");
  EXPECT_EQ(receive(peer_.get(), 7), "get a\r\n");
  send_text(peer_.get(), "END\r\n");
  EXPECT_EQ(receive(proxy_.get(), 5), "END\r\n");
}

TEST_F(ForwarderTest, PassesMegabytesAndTheEnd) {
  connect();
  const std::string big(8u << 20, 'b');
  std::thread sender([&] {
    size_t sent = 0;
    while (sent < big.size()) {
      const ssize_t count =
          ::send(proxy_.get(), big.data() + sent, big.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<size_t>(count);
    }
    ::shutdown(proxy_.get(), SHUT_WR);
  });
  EXPECT_EQ(receive(peer_.get(), big.size() + 1).size(), big.size());
  sender.join();
  send_text(peer_.get(), "bye");
  peer_.reset();
  EXPECT_EQ(receive(proxy_.get(), 100), "bye");
}

TEST_F(ForwarderTest, SlowHoldsWhatComesFromTheProxy) {
  connect();
  ASSERT_TRUE(call("fault.set", R"({"id":"f","kind":"slow","match":{"cluster":"amber"},
                                    "share":1,"delay_min_ms":50,"delay_max_ms":60})")
                  .ok());
  const base::Instant before = clock_.now();
  send_text(proxy_.get(), "x");
  EXPECT_EQ(receive(peer_.get(), 1), "x");
  EXPECT_GE(clock_.now() - before, 50ms);
  const base::Instant back = clock_.now();
  send_text(peer_.get(), "y");
  EXPECT_EQ(receive(proxy_.get(), 1), "y");
  EXPECT_LT(clock_.now() - back, 50ms) << "answers are not held";
}

TEST_F(ForwarderTest, StallLetsNothingPassUntilItIsCleared) {
  connect();
  ASSERT_TRUE(
      call("fault.set", R"({"id":"f","kind":"stall","match":{"proxy":"amber-proxy-1"}})").ok());
  send_text(proxy_.get(), "x");
  EXPECT_FALSE(readable(peer_.get(), 100));
  ASSERT_TRUE(call("fault.clear", R"({"id":"f"})").ok());
  EXPECT_EQ(receive(peer_.get(), 1), "x");
}

TEST_F(ForwarderTest, ClosesTheProxysEndWhenTheBackendIsGone) {
  connect();
  peer_.reset();
  EXPECT_EQ(receive(proxy_.get(), 1), "");
}

TEST_F(ForwarderTest, KeepsConnectionsOfLinksThatStay) {
  connect();
  forwarder_.call([&] { EXPECT_TRUE(forwarder_.set_links({spec_}).ok()); });
  send_text(proxy_.get(), "x");
  EXPECT_EQ(receive(peer_.get(), 1), "x");
  forwarder_.call([&] { EXPECT_TRUE(forwarder_.set_links({}).ok()); });
  EXPECT_EQ(receive(peer_.get(), 1), "") << "its link is gone";
}

TEST_F(ForwarderTest, RefusesALinkOnATakenPortAndKeepsTheOthers) {
  LinkSpec second = spec_;
  second.name.id = "l2";
  second.listen = spec_.target;  // the backend listens there
  forwarder_.call([&] {
    const auto set = forwarder_.set_links({spec_, second});
    ASSERT_FALSE(set.ok());
    EXPECT_EQ(set.code(), base::ErrorCode::kExists);
  });
  connect();
  send_text(proxy_.get(), "x");
  EXPECT_EQ(receive(peer_.get(), 1), "x");
}

// The link with an echo path, and a plain socket at either end of it.
class EchoPathTest : public ForwarderTest {
 protected:
  EchoPathTest() {
    responder_ = std::move(*datagrams_at({"127.0.0.1", 0}));
    LinkSpec spec = spec_;
    spec.echo = LinkPlace{"127.0.0.1", bound_port(responder_.get())};
    forwarder_.call([&] {
      EXPECT_TRUE(forwarder_.set_links({spec}).ok());
      spec_ = forwarder_.links().at(0);
    });
    asker_ = std::move(*datagrams_to(spec_.listen));
  }

  void set_fault(const std::string& rest) {
    ASSERT_TRUE(call("fault.set", R"({"id":"f","match":{"cluster":"amber"},)" + rest + "}").ok());
  }
  std::string hear(int fd, int timeout_ms = 10'000) {
    if (!readable(fd, timeout_ms)) return "";
    char bytes[64];
    socklen_t size = sizeof from_;
    const ssize_t count =
        ::recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from_), &size);
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : "";
  }
  void answer(std::string_view text) {
    ASSERT_EQ(::sendto(responder_.get(), text.data(), text.size(), 0,
                       reinterpret_cast<sockaddr*>(&from_), sizeof from_),
              static_cast<ssize_t>(text.size()));
  }

  UniqueFd responder_, asker_;
  sockaddr_in from_{};  // of what was heard last
};

TEST_F(EchoPathTest, PassesBothWays) {
  send_text(asker_.get(), "who?");
  EXPECT_EQ(hear(responder_.get()), "who?");
  answer("me");
  EXPECT_EQ(hear(asker_.get()), "me");
  connect();  // and its connections as ever
  send_text(proxy_.get(), "x");
  EXPECT_EQ(receive(peer_.get(), 1), "x");
}

TEST_F(EchoPathTest, SlowHoldsTheQuestionAndNotTheAnswer) {
  set_fault(R"("kind":"slow","share":1,"delay_min_ms":50,"delay_max_ms":60)");
  const base::Instant before = clock_.now();
  send_text(asker_.get(), "who?");
  EXPECT_EQ(hear(responder_.get()), "who?");
  EXPECT_GE(clock_.now() - before, 50ms);
  const base::Instant back = clock_.now();
  answer("me");
  EXPECT_EQ(hear(asker_.get()), "me");
  EXPECT_LT(clock_.now() - back, 50ms);
}

TEST_F(EchoPathTest, DropLosesAShare) {
  set_fault(R"("kind":"drop","share":0.5)");
  int heard = 0;
  for (int i = 0; i < 4; ++i) {  // in portions that the path holds
    for (int k = 0; k < 50; ++k) send_text(asker_.get(), "who?");
    while (!hear(responder_.get(), 300).empty()) ++heard;
  }
  EXPECT_NEAR(heard, 100, 40);
}

TEST_F(EchoPathTest, StallHoldsUntilItIsCleared) {
  set_fault(R"("kind":"stall")");
  send_text(asker_.get(), "who?");
  EXPECT_EQ(hear(responder_.get(), 100), "");
  ASSERT_TRUE(call("fault.clear", R"({"id":"f"})").ok());
  EXPECT_EQ(hear(responder_.get()), "who?");
}

TEST_F(EchoPathTest, HoldsNoMoreThanItsBound) {
  set_fault(R"("kind":"stall")");
  for (int i = 0; i < 100; ++i) {
    send_text(asker_.get(), "who?");
    forwarder_.call([] {});  // it has looked
  }
  ASSERT_TRUE(call("fault.clear", R"({"id":"f"})").ok());
  size_t heard = 0;
  while (!hear(responder_.get(), 300).empty()) ++heard;
  EXPECT_EQ(heard, EchoPath::kMostHeld);
}

TEST_F(EchoPathTest, ALinkWhosePortIsTakenServesWithoutEchoes) {
  LinkSpec second = spec_;
  second.name.id = "l2";
  // A port that is taken for datagrams alone; somebody else may have the stream's.
  std::vector<UniqueFd> taken;
  do {
    ASSERT_LT(taken.size(), 100U);
    taken.push_back(std::move(*datagrams_at({"127.0.0.1", 0})));
    second.listen = {"127.0.0.1", bound_port(taken.back().get())};
  } while (!listen_at(second.listen).ok());
  forwarder_.call([&] {
    ASSERT_TRUE(forwarder_.set_links({spec_, second}).ok());
    EXPECT_TRUE(forwarder_.links().at(0).echo);
    EXPECT_FALSE(forwarder_.links().at(1).echo);
  });
}

TEST_F(ForwarderTest, AFaultThatTouchesNoLinkIsAMistake) {
  const auto set = call("fault.set", R"({"id":"f","kind":"stall","match":{"cluster":"birch"}})");
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.code(), base::ErrorCode::kNotFound);
  EXPECT_EQ(call("fault.clear", R"({"id":"f"})").code(), base::ErrorCode::kNotFound);
  EXPECT_EQ(call("nonsense", "{}").code(), base::ErrorCode::kNotFound);
}

}  // namespace
}  // namespace cli
