#include "agent/conns/spread.h"

#include <algorithm>
#include <cstdio>

namespace agent::conns {
namespace {

constexpr uint64_t kHandfulOfClients = 10;
constexpr double kMostConnections = 0.6;

std::string decimal(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

const char* to_string(Spread::Kind kind) {
  constexpr const char* kNames[] = {"nobody", "handful", "everybody"};
  return kNames[static_cast<size_t>(kind)];
}

Spread spread_of(const std::vector<uint64_t>& clients, uint64_t connections, bool more_clients) {
  Spread spread;
  uint64_t counted = 0;
  for (const uint64_t count : clients) counted += count;
  spread.connections = std::max(connections, counted);
  spread.clients = clients.size();
  spread.more_clients = more_clients;
  if (spread.connections == 0 || spread.clients == 0) return spread;
  const uint64_t at_most = std::min(spread.clients, kHandfulOfClients);
  const uint64_t handful = std::min(at_most, std::max<uint64_t>(1, spread.clients / 4));
  spread.kind = Spread::Kind::kEverybody;
  for (uint64_t few = 0; few < at_most; ++few) {
    ++spread.few;
    spread.held_by_few += clients[few];
    const double share =
        static_cast<double>(spread.held_by_few) / static_cast<double>(spread.connections);
    if (few < handful && share >= kMostConnections) {
      spread.kind = Spread::Kind::kHandful;
      break;
    }
  }
  return spread;
}

std::string describe(const Spread& spread) {
  if (spread.kind == Spread::Kind::kNobody) return "nobody is connected";
  const std::string connections = std::to_string(spread.connections) + " connections";
  if (spread.clients == 1 && !spread.more_clients) {
    return "a handful: one client holds all " + connections;
  }
  const bool handful = spread.kind == Spread::Kind::kHandful;
  const std::string clients =
      (spread.more_clients ? "more than " : "") + std::to_string(spread.clients) + " clients";
  const double share =
      static_cast<double>(spread.held_by_few) / static_cast<double>(spread.connections);
  std::string text =
      handful ? "a handful: " + std::to_string(spread.few) + " of " + clients
              : "everybody: the " + std::to_string(spread.few) + " largest of " + clients;
  text +=
      (spread.few == 1 ? " holds " : " hold ") + decimal("%.0f %% of ", share * 100) + connections;
  if (spread.clients > spread.few && !spread.more_clients) {
    text += "; the others " +
            decimal("%.1f each", static_cast<double>(spread.connections - spread.held_by_few) /
                                     static_cast<double>(spread.clients - spread.few));
  }
  return text;
}

}  // namespace agent::conns
