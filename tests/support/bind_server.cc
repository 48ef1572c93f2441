#include "tests/support/bind_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/core/check.h"
#include "base/core/file.h"
#include "base/core/rng.h"
#include "base/core/text.h"
#include "base/net/fd.h"
#include "base/net/socket_address.h"
#include "tests/support/real_time.h"

namespace test {
namespace {

using base::net::UniqueFd;

constexpr const char* kProgram = "/usr/sbin/named";
constexpr base::Duration kPatience = std::chrono::seconds(20);

// A port that is free for UDP and TCP. named listens only on addresses that an interface has, and of
// the loopback ones that is this one.
agent::dns::ServerPlace free_place() {
  agent::dns::ServerPlace place;
  place.address = "127.0.0.1";
  const auto any = base::net::make_socket_address(place.address, 0);
  for (int tries = 0; tries < 100; ++tries) {
    const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CHECK(::bind(udp.get(), any->get(), any->size()) == 0);
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    ::getsockname(udp.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    place.port = ntohs(bound.sin_port);
    const auto same = base::net::make_socket_address(place.address, place.port);
    const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(tcp.get(), same->get(), same->size()) == 0) return place;
  }
  CHECK(!"a free port");
  return place;
}

std::string clause_of(const agent::dns::ServerPlace& place) {
  return place.address + " port " + std::to_string(place.port);
}

// Whether all of its threads are (proc(5): the field behind the name in parentheses).
bool is_stopped(pid_t pid) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    const auto stat = base::read_file(task.path().string() + "/stat");
    if (!stat) continue;  // it has ended
    const size_t name_end = stat->rfind(')');
    if (name_end == std::string::npos || stat->substr(name_end + 2, 1) != "T") return false;
  }
  return true;
}

}  // namespace

bool BindServer::installed() {
  return ::access(kProgram, X_OK) == 0;
}

BindServer::BindServer(agent::dns::TsigAlgorithm algorithm) : place_(free_place()) {
  key_.name = "mover";
  key_.algorithm = algorithm;
  key_.secret = base::Secret(base::random_bytes(32));
}

BindServer::~BindServer() {
  kill();
}

void BindServer::join(BindServer& primary, BindServer& secondary) {
  secondary.primary_ = &primary;
  secondary.key_ = primary.key_;
  primary.notified_ = secondary.place_;
}

agent::dns::Rfc2136Options BindServer::options() const {
  agent::dns::Rfc2136Options options;
  options.zone = kBindZone;
  options.servers = {place_};
  options.key = key_;
  return options;
}

void BindServer::configure() const {
  const std::string zone = kBindZone;
  const std::string key = "key \"" + key_.name + "\" { algorithm " +
                          std::string(to_string(key_.algorithm)) + "; secret \"" +
                          base::base64_encode(key_.secret.reveal()) + "\"; };\n";
  std::string conf =
      key +
      "controls { };\nlogging { category update { null; }; category update-security { null; }; };\n"
      "options {\n  directory \"" +
      directory_.path() + "\";\n  listen-on port " + std::to_string(place_.port) + " { " +
      place_.address +
      "; };\n  listen-on-v6 { none; };\n  pid-file none;\n  session-keyfile none;\n"
      "  lock-file none;\n  recursion no;\n  dnssec-validation no;\n"
      "  empty-zones-enable no;\n  allow-transfer { key " +
      key_.name + "; };\n};\nzone \"" + zone + "\" {\n  file \"zone.db\";\n";
  if (primary_ != nullptr) {
    conf += "  type secondary;\n  masterfile-format text;\n  primaries { " +
            clause_of(primary_->place_) + " key " + key_.name + "; };\n";
  } else {
    conf += "  type primary;\n  update-policy { grant " + key_.name + " subdomain " + zone +
            ". A AAAA CNAME TXT; };\n  notify explicit;\n  notify-delay 0;\n";
    if (!notified_.address.empty()) conf += "  also-notify { " + clause_of(notified_) + "; };\n";
  }
  conf += "};\n";
  const std::string records =
      "$TTL 30\n@ SOA ns." + zone + ". root." + zone + ". 1 60 60 3600 30\n@ NS ns." + zone +
      ".\nns A " + place_.address +
      "\n*.wild A 10.9.9.9\nhand A 10.8.8.8\nmail MX 10 ns\n"
      // At generation 5, after which somebody added something.
      "post A 10.7.7.7\npost MX 10 ns\n_gen.post TXT \"gen=5 run=run-5\"\n"
      "note A 10.7.7.7\nnote TXT hello\n_gen.note TXT \"gen=5 run=run-5\"\n"
      "odd A 10.7.7.7\nodd TYPE65280 \\# 1 00\n_gen.odd TXT \"gen=5 run=run-5\"\n";
  const auto write = [&](const char* name, const std::string& text) {
    CHECK(base::write_file_atomic(directory_.file(name), text, base::Durability::kRenameOnly).ok());
  };
  write("named.conf", conf);
  write("key.conf", key);
  const bool fresh = ::access(directory_.file("zone.db").c_str(), F_OK) != 0;
  if (primary_ == nullptr && fresh) write("zone.db", records);
}

void BindServer::start() {
  configure();
  const std::string conf = directory_.file("named.conf"), log = directory_.file("log");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execl(kProgram, "named", "-f", "-L", log.c_str(), "-4", "-n", "2", "-c", conf.c_str(),
            nullptr);
    ::_exit(127);
  }
  const base::SystemClock clock;
  const base::Instant end = clock.now() + kPatience;
  while (!answers()) {
    const bool running = ::waitpid(pid_, nullptr, WNOHANG) == 0;
    if (running && clock.now() < end) continue;
    std::fprintf(stderr, "named does not answer:\n%s\n", this->log().c_str());
    CHECK(!"named");
  }
}

bool BindServer::answers() const {
  RealTime time;
  agent::dns::Rfc2136Switch names(time.io().get_executor(), time.timers(), options());
  if (time.run(names.check(time.in(std::chrono::seconds(1)))).ok()) return true;
  ::poll(nullptr, 0, 5);
  return false;
}

void BindServer::signal(int number) const {
  CHECK(pid_ > 0 && ::kill(pid_, number) == 0);
  const base::SystemClock clock;
  const base::Instant end = clock.now() + std::chrono::seconds(10);
  while (number == SIGSTOP && !is_stopped(pid_)) {
    CHECK(clock.now() < end);
    ::sched_yield();
  }
}

void BindServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::string BindServer::log() const {
  return base::read_file(directory_.file("log")).value_or("");
}

}  // namespace test
