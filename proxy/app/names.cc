// The names by which the proxy is found, and how a successor comes to them: control socket, metrics port,
// telemetry file. Those that the predecessor does not have are opened while it can still go on; the
// others only it can leave free, and by then there is no way back.
#include "base/telemetry/log.h"
#include "proxy/app/app.h"

namespace proxy {

namespace asio = boost::asio;
using base::Result;

namespace {

constexpr base::Duration kClaimAgain = std::chrono::milliseconds(100);

bool is_same_file(const std::string& one, const std::string& other) {
  const base::net::SocketFile a = base::net::socket_file(one), b = base::net::socket_file(other);
  return one == other || (a.inode != 0 && a.inode == b.inode && a.device == b.device);
}

}  // namespace

Result<> App::open_control() {
  auto rpc = base::net::RpcServer::listen(
      io_.get_executor(), config_.control_socket,
      [this](base::net::RpcRequest request) { return control_->call(std::move(request)); });
  if (!rpc) return rpc.error();
  rpc_ = std::move(*rpc);
  return base::Done{};
}

Result<> App::open_metrics() {
  base::net::HttpServer::Options options;
  options.address = config_.metrics.address;
  options.port = config_.metrics.port;
  options.name = "metrics";
  auto http = base::net::HttpServer::listen(
      io_.get_executor(), timers_, std::move(options),
      [this](base::net::HttpRequest request) { return answer_http(std::move(request)); });
  if (!http) return http.error();
  http_ = std::move(*http);
  return base::Done{};
}

// What is not open yet.
Result<> App::open_admin() {
  const Result<> control = rpc_ ? Result<>(base::Done{}) : open_control();
  const Result<> metrics = http_ ? Result<>(base::Done{}) : open_metrics();
  return control.ok() ? metrics : control;
}

std::string App::metrics_name() const {
  return config_.metrics.address + " " + std::to_string(config_.metrics.port);
}

// A predecessor that does not say its metrics port is taken to have ours.
Result<> App::open_new_names() {
  if (!is_same_file(config_.control_socket, options_.take_over)) {
    if (const auto opened = open_control(); !opened) return opened;
  }
  const std::string& there = take_over_->metrics_there();
  return there.empty() || there == metrics_name() ? Result<>(base::Done{}) : open_metrics();
}

// May be called again: what is ours already stays so.
Result<> App::claim_names() {
  const Result<> moved = segment_->move_to(config_.telemetry_file);
  const Result<> opened = open_admin();
  return moved.ok() ? opened : moved;
}

void App::take_names() {
  const Result<> taken = take_over_->insist([this] { return claim_names(); });
  if (taken.ok()) return;
  base::log::error("names_not_taken", {{"error", taken.error().context},
                                       {"hint", "clients are served; it is tried again"}});
  base::spawn(io_.get_executor(), gate_, "keep_claiming_names", keep_claiming_names());
}

asio::awaitable<void> App::keep_claiming_names() {
  while (!stopping_) {
    co_await timers_.wait_for(kClaimAgain);
    if (stopping_ || !claim_names().ok()) continue;
    base::log::info("names_taken");
    co_return;
  }
}

}  // namespace proxy
