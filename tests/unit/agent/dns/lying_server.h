// LyingServer: a name server on an address of its own whose every answer a test chooses, and the
// io_context on which both it and its client run, on virtual time.
//
// Left alone it is honest: it answers questions from `state`, and UPDATEs with NOERROR, after which it
// shows what the test says.
#pragma once

#include <ldns/ldns.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/dns/change.h"
#include "agent/dns/rfc2136_switch.h"
#include "base/core/check.h"
#include "tests/support/manual_time.h"

namespace agent::dns {

// A question or an UPDATE as it came.
struct Asked {
  std::string bytes;  // with its TSIG
  bool is_update = false;
  bool by_tcp = false;
  int number = 0;  // of its kind, from 1
};

// Thread: one.
class LyingServer {
 public:
  using Manner = std::function<std::vector<std::string>(LyingServer&, const Asked&)>;

  LyingServer()
      : udp_(io, {boost::asio::ip::make_address("127.91.7.1"), 0}),
        tcp_(io, {boost::asio::ip::make_address("127.91.7.1"), udp_.local_endpoint().port()}) {
    key.name = "mover";
    key.secret = base::Secret(std::string(32, 'k'));
    listen();
    accept();
  }

  boost::asio::io_context io;
  test::ManualClock clock;
  test::ManualTimers timers{io, clock};
  Key key;
  NameState state;
  Manner manner = [](LyingServer& server, const Asked& asked) {
    return std::vector<std::string>{server.honest(asked)};
  };
  int updates = 0;
  int questions = 0;

  Rfc2136Options options() const {
    Rfc2136Options options;
    options.zone = "cache.test";
    ServerPlace place;
    place.address = "127.91.7.1";
    place.port = udp_.local_endpoint().port();
    options.servers = {place};
    options.key = key;
    return options;
  }

  // An answer as an honest server signs it.
  std::string honest(const Asked& asked) const { return signed_for(asked, plain(asked)); }
  std::string plain(const Asked& asked, ldns_pkt_rcode code = LDNS_RCODE_NOERROR) const {
    ldns_pkt* request = nullptr;
    CHECK(ldns_wire2pkt(&request, reinterpret_cast<const uint8_t*>(asked.bytes.data()),
                        asked.bytes.size()) == LDNS_STATUS_OK);
    ldns_pkt* answer = ldns_pkt_new();
    ldns_pkt_set_id(answer, ldns_pkt_id(request));
    ldns_pkt_set_qr(answer, true);
    ldns_pkt_set_aa(answer, true);
    ldns_pkt_set_opcode(answer, ldns_pkt_get_opcode(request));
    ldns_pkt_set_rcode(answer, code);
    if (!asked.is_update && code == LDNS_RCODE_NOERROR) {
      const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(request), 0);
      for (const std::string& line : records_for(ldns_rr_get_type(question))) {
        ldns_rr* record = nullptr;
        CHECK(ldns_rr_new_frm_str(&record, line.c_str(), 0, nullptr, nullptr) == LDNS_STATUS_OK);
        ldns_pkt_push_rr(answer, LDNS_SECTION_ANSWER, record);
      }
    }
    uint8_t* bytes = nullptr;
    size_t size = 0;
    CHECK(ldns_pkt2wire(&bytes, answer, &size) == LDNS_STATUS_OK);
    std::string text(reinterpret_cast<char*>(bytes), size);
    ::free(bytes);
    ldns_pkt_free(answer);
    ldns_pkt_free(request);
    return text;
  }
  std::string signed_for(const Asked& asked, std::string answer) const {
    return signed_with(key, asked, std::move(answer));
  }
  std::string signed_with(const Key& other, const Asked& asked, std::string answer) const {
    return sign(std::move(answer), other, clock.wall(), mac_of(asked.bytes)).bytes;
  }
  std::string said(const Asked& asked, ldns_pkt_rcode code) const {
    return signed_for(asked, plain(asked, code));
  }
  // The 32 bytes before original id, error and other length, which end a request.
  static std::string mac_of(const std::string& request) {
    return request.substr(request.size() - 6 - 32, 32);
  }
  // Sends it to the last who asked, from elsewhere.
  void send_from_elsewhere(const std::string& bytes) {
    boost::asio::ip::udp::socket other(
        io, {boost::asio::ip::make_address("127.91.7.2"), udp_.local_endpoint().port()});
    other.send_to(boost::asio::buffer(bytes), from_);
  }

  // Runs to its end; virtual time passes when nothing else happens.
  template <class T>
  T run(boost::asio::awaitable<T> work) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(work), [&result](std::exception_ptr failed, T value) {
      CHECK(!failed);
      result.emplace(std::move(value));
    });
    for (int i = 0; i < 20'000 && !result; ++i) {
      io.restart();
      if (io.run_one_for(std::chrono::milliseconds(1)) == 0) {
        timers.run_for(std::chrono::milliseconds(10));
      }
    }
    CHECK(result.has_value());
    return std::move(*result);
  }

 private:
  std::vector<std::string> records_for(ldns_rr_type type) const {
    std::vector<std::string> lines;
    const std::string ttl = std::to_string(state.ttl.count());
    if (type == LDNS_RR_TYPE_TXT && state.generation != 0) {
      lines.push_back("_gen.a.cache.test. 30 IN TXT \"" +
                      generation_text(state.generation, state.run) + "\"");
    } else if (type == LDNS_RR_TYPE_A && !state.target.alias.empty()) {
      lines.push_back("a.cache.test. " + ttl + " IN CNAME " + state.target.alias + ".");
    } else if (type == LDNS_RR_TYPE_A) {
      for (const std::string& each : state.target.addresses) {
        lines.push_back("a.cache.test. " + ttl + " IN A " + each);
      }
    }
    return lines;
  }
  Asked asked(std::string bytes, bool by_tcp) {
    Asked made;
    made.is_update = (bytes[2] >> 3 & 15) == LDNS_PACKET_UPDATE;
    made.bytes = std::move(bytes);
    made.by_tcp = by_tcp;
    made.number = made.is_update ? ++updates : ++questions;
    return made;
  }
  void listen() {
    udp_.async_receive_from(boost::asio::buffer(datagram_), from_,
                            [this](boost::system::error_code failed, size_t n) {
                              if (failed) return;
                              const Asked one = asked(std::string(datagram_.data(), n), false);
                              for (const std::string& answer : manner(*this, one)) {
                                udp_.send_to(boost::asio::buffer(answer), from_);
                              }
                              listen();
                            });
  }
  void accept() {
    tcp_.async_accept([this](boost::system::error_code failed, auto socket) {
      if (failed) return;
      // A client that has connected sends at once.
      std::array<unsigned char, 2> length{};
      boost::asio::read(socket, boost::asio::buffer(length));
      std::string bytes(size_t{length[0]} << 8 | length[1], '\0');
      boost::asio::read(socket, boost::asio::buffer(bytes));
      const Asked one = asked(std::move(bytes), true);
      for (const std::string& answer : manner(*this, one)) {
        std::string framed{static_cast<char>(answer.size() >> 8),
                           static_cast<char>(answer.size() & 0xff)};
        framed += answer;
        boost::asio::write(socket, boost::asio::buffer(framed));
      }
      accept();
    });
  }

  boost::asio::ip::udp::socket udp_;
  boost::asio::ip::tcp::acceptor tcp_;
  boost::asio::ip::udp::endpoint from_;
  std::array<char, 4096> datagram_{};
};

}  // namespace agent::dns
