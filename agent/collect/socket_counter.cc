#include "agent/collect/socket_counter.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "base/core/check.h"

namespace agent::collect {
namespace {

// The kernel grows its messages to the largest buffer it has seen, so this is the size always.
constexpr size_t kDatagram = 32u << 10;

base::Error kernel_error(const char* what, int number) {
  return base::Error(base::ErrorCode::kIo,
                     std::string("socket diagnostics: ") + what + ": " + std::strerror(number));
}

template <class T>
void append(std::vector<uint8_t>& bytes, const T& value) {
  const auto* from = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof value);
}

inet_diag_bc_op operation(unsigned char code, size_t yes, size_t no) {
  inet_diag_bc_op op{};
  op.code = code;
  op.yes = static_cast<unsigned char>(yes);
  op.no = static_cast<unsigned short>(no);
  return op;
}

Address read_address(const __be32 (&words)[4], uint8_t family) {
  Address address{};
  if (family == AF_INET6) {
    std::memcpy(address.data(), words, 16);
  } else {
    address[10] = address[11] = 0xff;
    std::memcpy(address.data() + 12, words, 4);
  }
  return address;
}

}  // namespace

Address parse_address(std::string_view text) {
  const std::string copy(text);
  Address address{};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  address[10] = address[11] = 0xff;
  CHECK(inet_pton(AF_INET, copy.c_str(), address.data() + 12) == 1);
  return address;
}

std::string to_string(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped, kMapped + 12, address.begin())) {
    inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

std::string_view tcp_state_name(uint8_t state) {
  static constexpr std::string_view kNames[] = {
      "unknown",    "established", "syn_sent",    "syn_received", "fin_wait_1",
      "fin_wait_2", "time_wait",   "close",       "close_wait",   "last_ack",
      "listen",     "closing",     "syn_received"};
  return kNames[state < std::size(kNames) ? state : 0];
}

// "port a or port b or …". Each test but the last is followed by a jump to the end; the kernel checks
// programs along the "yes" branches, which is why the alternatives hang off jumps and not off tests.
std::vector<uint8_t> port_filter(const std::set<uint16_t>& ports) {
  constexpr size_t kOp = sizeof(inet_diag_bc_op);
  constexpr size_t kTest = 2 * kOp;
  CHECK(!ports.empty() && ports.size() < 1000);
  std::vector<uint8_t> program;
  size_t left = ports.size() * kTest + (ports.size() - 1) * kOp;
  size_t index = 0;
  for (const uint16_t port : ports) {
    const bool last = ++index == ports.size();
    // Yes: the next operation. No: behind the jump, or for the last beyond the end, which rejects.
    append(program, operation(INET_DIAG_BC_S_EQ, kTest, kTest + kOp));
    inet_diag_bc_op value{};
    value.no = port;
    append(program, value);
    left -= kTest;
    if (last) break;
    append(program, operation(INET_DIAG_BC_JMP, kOp, left));
    left -= kOp;
  }
  return program;
}

base::Result<bool> read_dump(std::string_view datagram, bool truncated,
                             const std::function<void(const SocketRow&)>& row) {
  if (truncated) return kernel_error("a message was cut off", EMSGSIZE);
  size_t at = 0;
  while (datagram.size() - at >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data() + at, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size() - at) {
      return kernel_error("a message of impossible length", EBADMSG);
    }
    const std::string_view body =
        datagram.substr(at + sizeof header, header.nlmsg_len - sizeof header);
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
      // DONE may carry an error too: a dump that failed is not an empty one.
      int number = 0;
      if (body.size() >= sizeof number) std::memcpy(&number, body.data(), sizeof number);
      if (number < 0) return kernel_error("the dump failed", -number);
      if (header.nlmsg_type == NLMSG_DONE) return false;
    } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
      if (body.size() < sizeof(inet_diag_msg)) return kernel_error("a short message", EBADMSG);
      inet_diag_msg message;
      std::memcpy(&message, body.data(), sizeof message);
      SocketRow each;
      each.local = read_address(message.id.idiag_src, message.idiag_family);
      each.remote = read_address(message.id.idiag_dst, message.idiag_family);
      each.local_port = ntohs(message.id.idiag_sport);
      each.state = message.idiag_state;
      row(each);
    }
    at += std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size() - at);
  }
  return true;
}

boost::asio::awaitable<base::Result<>> SocketCounter::dump(
    std::set<uint16_t> ports, uint32_t states, bool ipv6,
    std::function<void(const SocketRow&)> row) {
  const std::vector<uint8_t> filter = port_filter(ports);
  auto done = co_await dump_family(AF_INET, filter, states, row);
  if (done.ok() && ipv6) done = co_await dump_family(AF_INET6, filter, states, row);
  co_return done;
}

boost::asio::awaitable<base::Result<>> SocketCounter::dump_family(
    uint8_t family, std::vector<uint8_t> filter, uint32_t states,
    std::function<void(const SocketRow&)> row) {
  const base::net::UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.valid()) co_return kernel_error("no socket", errno);
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
    nlattr attribute;
  } question{};
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.header.nlmsg_len = static_cast<uint32_t>(sizeof question + filter.size());
  question.request.sdiag_family = family;
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_states = states;
  question.attribute.nla_type = INET_DIAG_REQ_BYTECODE;
  question.attribute.nla_len = static_cast<unsigned short>(sizeof(nlattr) + filter.size());
  iovec parts[2] = {{&question, sizeof question}, {filter.data(), filter.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (::sendmsg(socket.get(), &message, 0) < 0) co_return kernel_error("not asked", errno);
  const auto buffer = std::make_unique<char[]>(kDatagram);
  while (true) {
    iovec into{buffer.get(), kDatagram};
    msghdr answer{};
    answer.msg_iov = &into;
    answer.msg_iovlen = 1;
    // The kernel makes the next part of the dump on this call, so it does not block.
    const ssize_t size = ::recvmsg(socket.get(), &answer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) co_return kernel_error("no answer", size < 0 ? errno : EPIPE);
    const bool truncated = (answer.msg_flags & MSG_TRUNC) != 0;
    auto more =
        read_dump(std::string_view(buffer.get(), static_cast<size_t>(size)), truncated, row);
    if (!more.ok()) co_return more.error();
    if (!*more) co_return base::Done{};
    co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  }
}

}  // namespace agent::collect
