// A telemetry segment of version 1, written the way the proxies of that release lay it out: by offsets
// of its own, so that a reader is held against what is out there and not against its own idea of it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/check.h"
#include "base/time/clock.h"

namespace test {

// Owner: a test. The file is changed in place, under whoever has mapped it.
class SegmentV1File {
 public:
  enum Leg { kRead, kWrite, kFence };
  // Cells of a worker, in bytes from its beginning.
  static constexpr size_t kSequence = 0, kHeartbeat = 8, kConnections = 16, kOpened = 24,
                          kGetHits = 72, kNewcomersWritten = 96, kRequests = 112, kFailures = 256;
  // Cells of a backend.
  static constexpr size_t kBackendRequests = 0, kBackendFailures = 8, kConnected = 32, kOldest = 80;
  // Cells of the header.
  static constexpr size_t kEpoch = 168, kPrepared = 176, kDraining = 200;

  SegmentV1File(const std::string& path, std::string_view proxy, uint32_t workers)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    CHECK(fd_ >= 0);
    const uint64_t size = kHeader + workers * kWorker;
    CHECK(::ftruncate(fd_, static_cast<off_t>(size)) == 0);
    set(8, uint64_t{workers} << 32 | 1);  // version, workers
    set(16, size);
    set(24, 4711);  // generation
    set(32, static_cast<uint64_t>(::getpid()));
    text(40, proxy);
    text(104, "amber");
    set(0, 0x314d4c5447434dULL);  // magic, last
  }
  ~SegmentV1File() { ::close(fd_); }
  SegmentV1File(const SegmentV1File&) = delete;
  SegmentV1File& operator=(const SegmentV1File&) = delete;

  void header(size_t cell, uint64_t value) { set(cell, value); }
  void worker(size_t index, size_t cell, uint64_t value) { set(worker_at(index) + cell, value); }
  void backend(size_t index, size_t backend, size_t cell, uint64_t value) {
    set(backend_at(index, backend) + cell, value);
  }
  void add_backend(std::string_view name) {
    const uint64_t count = get(208);
    text(216 + count * 48, name);
    set(208, count + 1);
  }
  void client(size_t worker, size_t slot, uint64_t address, uint64_t connections,
              uint64_t requests) {
    const size_t at = worker_at(worker) + 1714536 + slot * 48;
    set(at, address);
    set(at + 16, connections);
    set(at + 32, requests);
  }
  void record(size_t worker, size_t backend, Leg leg, base::Duration took, base::Instant now,
              uint64_t times = 1) {
    const size_t at = backend_at(worker, backend);
    const auto ns = static_cast<uint64_t>(took.count());
    add(at + 88 + (leg * 770 + bucket(ns)) * 8, times);
    add(at + 18568 + leg * 8, ns * times);
    const auto slot = static_cast<uint64_t>(now.ns / 10'000'000);
    const size_t pace = at + 18592 + slot % 1024 * 8;
    if (get(pace) >> 40 != (slot & 0xffffff)) set(pace, (slot & 0xffffff) << 40);
    add(pace, times << (ns >= 5'000'000 ? 20 : 0));
  }

 private:
  static constexpr size_t kHeader = 3328, kWorker = 1943936, kBackend = 26784;

  static size_t worker_at(size_t index) { return kHeader + index * kWorker; }
  static size_t backend_at(size_t index, size_t backend) {
    return worker_at(index) + 360 + backend * kBackend;
  }
  // 32 per octave from 2^10 to 2^34 ns.
  static size_t bucket(uint64_t ns) {
    if (ns < 1u << 10) return 0;
    if (ns >= uint64_t{1} << 34) return 769;
    const auto octave = static_cast<size_t>(std::bit_width(ns)) - 1;
    return 1 + (octave - 10) * 32 + ((ns >> (octave - 5)) & 31);
  }
  void set(size_t at, uint64_t value) {
    CHECK(::pwrite(fd_, &value, sizeof value, static_cast<off_t>(at)) == sizeof value);
  }
  uint64_t get(size_t at) const {
    uint64_t value = 0;
    CHECK(::pread(fd_, &value, sizeof value, static_cast<off_t>(at)) == sizeof value);
    return value;
  }
  void add(size_t at, uint64_t more) { set(at, get(at) + more); }
  void text(size_t at, std::string_view value) {
    CHECK(::pwrite(fd_, value.data(), value.size(), static_cast<off_t>(at)) ==
          static_cast<ssize_t>(value.size()));
  }

  int fd_;
};

}  // namespace test
