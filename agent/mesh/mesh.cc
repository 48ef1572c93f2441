#include "agent/mesh/mesh.h"

#include "agent/mesh/targets.h"
#include "base/core/rng.h"
#include "base/telemetry/log.h"

namespace agent::mesh {
namespace {

void warn(const base::Error& error) {
  base::log::warn("no_echoes", {{"error", error.context}});
}

}  // namespace

Mesh::Mesh(const coord::Region& region, base::Timers& timers, Wishes wishes, Sink sink)
    : region_(region), timers_(timers), wishes_(std::move(wishes)), sink_(std::move(sink)) {}

void Mesh::start(const boost::asio::any_io_executor& executor, base::Gate& gate) {
  const coord::RegionSpec& spec = region_.spec();
  if (!spec.echo_address().empty()) {
    auto socket = EchoSocket::open(executor, spec.echo_address(), spec.ports.agents);
    if (socket) {
      responder_ = std::make_unique<EchoResponder>(*std::move(socket), echo_askers(spec), timers_);
      responder_->start(executor, gate);
    } else {
      warn(socket.error());
    }
  }
  const std::vector<EchoTarget> targets = echo_targets(region_);
  if (targets.empty()) return;
  auto socket = EchoSocket::open(executor, "0.0.0.0", 0);
  if (!socket) return warn(socket.error());
  prober_ = std::make_unique<EchoProber>(
      *std::move(socket), targets,
      EchoProber::Surroundings{timers_, wishes_.pace, wishes_.is_urgent, sink_,
                               [] { return base::random_u64(); }});
  prober_->start(executor, gate);
}

void Mesh::stop() {
  if (prober_) prober_->stop();
  if (responder_) responder_->stop();
}

}  // namespace agent::mesh
