// TopClients: the clients with most connections at each listener, in memory of a fixed size. Pure.
#pragma once

#include <algorithm>
#include <vector>

#include "agent/conns/counts.h"

namespace agent::conns {

// Thread: one. Owner: who reads a source.
class TopClients {
 public:
  TopClients(size_t listeners, size_t limit) : limit_(limit), heaps_(listeners) {}

  // Precondition: a client at a listener is added once.
  void add(const ClientCount& client) {
    if (limit_ == 0) return;
    std::vector<ClientCount>& heap = heaps_[client.listener];
    if (heap.size() < limit_) {
      heap.push_back(client);
      std::push_heap(heap.begin(), heap.end(), more);
    } else if (more(client, heap.front())) {
      std::pop_heap(heap.begin(), heap.end(), more);
      heap.back() = client;
      std::push_heap(heap.begin(), heap.end(), more);
    }
  }
  // By listener, most connections first.
  std::vector<ClientCount> take() {
    std::vector<ClientCount> all;
    for (std::vector<ClientCount>& heap : heaps_) {
      std::sort_heap(heap.begin(), heap.end(), more);
      all.insert(all.end(), heap.begin(), heap.end());
      heap.clear();
    }
    return all;
  }

 private:
  // Addresses break ties, so that the same sockets give the same list.
  static bool more(const ClientCount& a, const ClientCount& b) {
    return a.connections != b.connections ? a.connections > b.connections : a.client < b.client;
  }

  size_t limit_;
  std::vector<std::vector<ClientCount>> heaps_;  // the smallest in front
};

}  // namespace agent::conns
