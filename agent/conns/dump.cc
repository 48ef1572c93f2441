#include "agent/conns/dump.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/core/check.h"
#include "base/core/file.h"
#include "base/net/fd.h"
#include "base/time/thread_time.h"

namespace agent::conns {
namespace {

// The kernel grows its messages to the largest buffer it has seen, so this is the size always.
constexpr size_t kDatagram = 32u << 10;
constexpr int kLargestError = 4095;  // MAX_ERRNO of the kernel
constexpr size_t kOp = sizeof(inet_diag_bc_op);
constexpr size_t kTest = 2 * kOp;

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

void append_test(std::vector<uint8_t>& program, unsigned char code, size_t no, uint16_t port) {
  append(program, operation(code, kTest, no));
  inet_diag_bc_op value{};
  value.no = port;
  append(program, value);
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

void read_attributes(std::string_view bytes, SocketRow& row) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > bytes.size()) return;
    const std::string_view body = bytes.substr(sizeof header, header.rta_len - sizeof header);
    if (header.rta_type == INET_DIAG_INFO) {
      tcp_info info{};
      std::memcpy(&info, body.data(), std::min(body.size(), sizeof info));
      row.rtt_us = info.tcpi_rtt;
      row.retransmits = info.tcpi_total_retrans;
      row.quiet_ms = info.tcpi_last_data_recv;
    } else if (header.rta_type == INET_DIAG_SKMEMINFO) {
      constexpr size_t kAt = SK_MEMINFO_DROPS * sizeof(uint32_t);
      if (body.size() >= kAt + sizeof row.drops) {
        std::memcpy(&row.drops, body.data() + kAt, sizeof row.drops);
      }
    }
    bytes.remove_prefix(std::min<size_t>(RTA_ALIGN(header.rta_len), bytes.size()));
  }
}

SocketRow read_row(std::string_view body) {
  inet_diag_msg message;
  std::memcpy(&message, body.data(), sizeof message);
  SocketRow row;
  row.local = read_address(message.id.idiag_src, message.idiag_family);
  row.remote = read_address(message.id.idiag_dst, message.idiag_family);
  row.local_port = ntohs(message.id.idiag_sport);
  row.remote_port = ntohs(message.id.idiag_dport);
  row.state = message.idiag_state;
  if (row.state == kListen) {
    row.queue = message.idiag_rqueue;
    row.queue_limit = message.idiag_wqueue;
  }
  read_attributes(body.substr(sizeof message), row);
  return row;
}

uint8_t extensions(const DumpQuestion& asked) {
  uint8_t wanted = 0;
  if (asked.info) wanted |= 1u << (INET_DIAG_INFO - 1);
  if (asked.states == state_bit(kListen)) wanted |= 1u << (INET_DIAG_SKMEMINFO - 1);
  return wanted;
}

// IPv4 alone, or in the form that is older than families and asks for all of them: the kernel walks its
// tables once then, not once for each.
std::vector<uint8_t> request_of(const DumpQuestion& asked) {
  std::vector<uint8_t> bytes;
  if (asked.ipv6) {
    inet_diag_req request{};
    request.idiag_states = asked.states;
    request.idiag_ext = extensions(asked);
    append(bytes, request);
    return bytes;
  }
  inet_diag_req_v2 request{};
  request.sdiag_family = AF_INET;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = asked.states;
  request.idiag_ext = extensions(asked);
  append(bytes, request);
  return bytes;
}

base::Result<> ask(int socket, const DumpQuestion& asked) {
  std::vector<uint8_t> request = request_of(asked);
  std::vector<uint8_t> filter = filter_program(asked);
  if (!filter.empty()) {
    nlattr attribute{};
    attribute.nla_type = INET_DIAG_REQ_BYTECODE;
    attribute.nla_len = static_cast<unsigned short>(sizeof attribute + filter.size());
    append(request, attribute);
  }
  nlmsghdr header{};
  header.nlmsg_type = asked.ipv6 ? TCPDIAG_GETSOCK : SOCK_DIAG_BY_FAMILY;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_len = static_cast<uint32_t>(sizeof header + request.size() + filter.size());
  iovec parts[3] = {
      {&header, sizeof header}, {request.data(), request.size()}, {filter.data(), filter.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 3;
  if (::sendmsg(socket, &message, 0) < 0) return kernel_error("not asked", errno);
  return base::Done{};
}

}  // namespace

base::Result<> dump(const DumpQuestion& question, const RowReader& row) {
  const base::net::UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.valid()) return kernel_error("no socket", errno);
  auto asked = ask(socket.get(), question);
  if (!asked.ok()) return asked;
  const base::Duration began = base::ThreadTime::ran();
  const auto buffer = std::make_unique<char[]>(kDatagram);
  while (true) {
    iovec into{buffer.get(), kDatagram};
    msghdr answer{};
    answer.msg_iov = &into;
    answer.msg_iovlen = 1;
    // The kernel makes the next part of the dump on this call, so it does not block.
    const ssize_t size = ::recvmsg(socket.get(), &answer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return kernel_error("no answer", size < 0 ? errno : EPIPE);
    const bool truncated = (answer.msg_flags & MSG_TRUNC) != 0;
    auto more =
        read_dump(std::string_view(buffer.get(), static_cast<size_t>(size)), truncated, row);
    if (!more.ok()) return more.error();
    if (!*more) return base::Done{};
    if (question.limit.count() > 0 && base::ThreadTime::ran() - began > question.limit) {
      return base::Error(base::ErrorCode::kExhausted,
                         "socket diagnostics: the walk took more than its processor time");
    }
  }
}

// "port a or port b or …, and low <= remote <= high". Each test of a port but the last is followed by a
// jump behind the last; the kernel checks programs along the "yes" branches, which is why the
// alternatives hang off jumps and not off tests. A jump to 4 beyond the end rejects.
std::vector<uint8_t> filter_program(const DumpQuestion& question) {
  CHECK(question.ports.size() < 1000);
  const size_t lower = question.remote_low > 0 ? kTest : 0;
  const size_t upper = question.remote_high < 65535 ? kTest : 0;
  size_t left = question.ports.size() * kTest + lower + upper;
  if (!question.ports.empty()) left += (question.ports.size() - 1) * kOp;
  std::vector<uint8_t> program;
  size_t index = 0;
  for (const uint16_t port : question.ports) {
    if (++index == question.ports.size()) {
      append_test(program, INET_DIAG_BC_S_EQ, left + kOp, port);
      left -= kTest;
      break;
    }
    append_test(program, INET_DIAG_BC_S_EQ, kTest + kOp, port);
    left -= kTest;
    append(program, operation(INET_DIAG_BC_JMP, kOp, left - lower - upper));
    left -= kOp;
  }
  if (lower > 0) {
    append_test(program, INET_DIAG_BC_D_GE, left + kOp, question.remote_low);
    left -= kTest;
  }
  if (upper > 0) append_test(program, INET_DIAG_BC_D_LE, left + kOp, question.remote_high);
  return program;
}

base::Result<bool> read_dump(std::string_view datagram, bool truncated, const RowReader& row) {
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
      // Beyond what the kernel uses for errors it is none of its own.
      if (number < 0) {
        return kernel_error("the dump failed", number >= -kLargestError ? -number : EBADMSG);
      }
      if (header.nlmsg_type == NLMSG_DONE) return false;
    } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY || header.nlmsg_type == TCPDIAG_GETSOCK) {
      if (body.size() < sizeof(inet_diag_msg)) return kernel_error("a short message", EBADMSG);
      row(read_row(body));
    }
    at += std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size() - at);
  }
  return true;
}

base::Result<std::set<uint16_t>> listening_ports() {
  DumpQuestion question;
  question.states = state_bit(kListen);
  std::set<uint16_t> ports;
  auto done = dump(question, [&ports](const SocketRow& row) { ports.insert(row.local_port); });
  if (!done.ok()) return done.error();
  return ports;
}

uint64_t time_wait_total() {
  const auto text = base::read_file("/proc/net/sockstat");
  if (!text.ok()) return 0;
  const size_t at = text->find(" tw ");
  return at == std::string::npos ? 0 : std::strtoull(text->c_str() + at + 4, nullptr, 10);
}

}  // namespace agent::conns
