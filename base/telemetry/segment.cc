#include "base/telemetry/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "base/core/check.h"
#include "base/core/hash.h"
#include "base/core/rng.h"
#include "base/core/text.h"
#include "base/telemetry/segment_v1.h"

namespace base::telemetry {
namespace {

static_assert(std::atomic<uint64_t>::is_always_lock_free, "cells are read across processes");
static_assert(sizeof(SegmentHeader) % alignof(WorkerBlock) == 0, "blocks follow the header");
static_assert(sizeof(WorkerBlock) % alignof(DetailBlock) == 0, "details follow the blocks");
// Proxies and agents of one version agree about where everything is.
static_assert(sizeof(WorkerBlock) == 840192 && sizeof(DetailBlock) == 133248);
constexpr size_t kMostGroups = most_latency_groups(kMaxBackends);
static_assert(kMostGroups <= 65536, "LatencyCells number them with 16 bits");

constexpr uint64_t kCountMask = (1u << 20) - 1;
constexpr uint64_t kSlotMask = (1u << 24) - 1;

size_t details_offset(uint32_t workers) {
  return sizeof(SegmentHeader) + size_t{workers} * sizeof(WorkerBlock);
}

// Begins a page, however large those are.
size_t stores_offset(uint32_t workers) {
  constexpr size_t kPage = 65536;
  const size_t end = details_offset(workers) + size_t{workers} * sizeof(DetailBlock);
  return (end + kPage - 1) / kPage * kPage;
}

size_t store_offset(uint32_t workers, uint32_t worker) {
  return stores_offset(workers) + size_t{worker} * kMostGroups * sizeof(LatencyGroup);
}

size_t segment_size(uint32_t workers) {
  return store_offset(workers, workers);
}

const LatencyGroup* store_in(const void* memory, uint32_t workers, uint32_t worker) {
  return reinterpret_cast<const LatencyGroup*>(static_cast<const char*>(memory) +
                                               store_offset(workers, worker));
}

const WorkerBlock& worker_in(const void* memory, uint32_t index) {
  const char* blocks = static_cast<const char*>(memory) + sizeof(SegmentHeader);
  return reinterpret_cast<const WorkerBlock*>(blocks)[index];
}

struct Closer {
  int fd;
  ~Closer() {
    if (fd >= 0) ::close(fd);
  }
};

Error os_error(const std::string& what, const std::string& path, int number) {
  ErrorCode code = ErrorCode::kIo;
  if (number == ENOENT) code = ErrorCode::kNotFound;
  if (number == EACCES || number == EPERM) code = ErrorCode::kPermission;
  std::string text = what + " telemetry segment " + path + ": " + std::strerror(number);
  if (number == ENOSPC) text += "; make room on that file system or set another telemetry_file";
  return Error(code, std::move(text));
}

template <size_t N>
bool copy_name(std::array<char, N>& to, std::string_view name) {
  if (name.empty() || name.size() >= N || name.find('\0') != std::string_view::npos) return false;
  std::memcpy(to.data(), name.data(), name.size());
  return true;
}

template <size_t N>
std::string_view view_name(const std::array<char, N>& name) {
  return std::string_view(name.data(), ::strnlen(name.data(), N));
}

Error bad_name(std::string_view what, std::string_view name, size_t limit) {
  return Error(ErrorCode::kInvalid, "telemetry segment: " + std::string(what) + " name \"" +
                                        printable(name, 80) + "\": expected 1 to " +
                                        std::to_string(limit) + " bytes");
}

int reserve(int fd, size_t begin, size_t size) {
  int failed = EINTR;
  while (failed == EINTR) {
    failed = ::posix_fallocate(fd, static_cast<off_t>(begin), static_cast<off_t>(size));
  }
  return failed;
}

// Creates the file with all pages reserved that are used from the beginning: a store to a page that a
// full /dev/shm cannot give would be a SIGBUS in the middle of serving. Clients' addresses and keys are
// nobody else's business.
Result<int> create_file(const std::string& path, uint32_t workers) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return os_error("cannot create", path, errno);
  int failed = ::ftruncate(fd, static_cast<off_t>(segment_size(workers))) != 0 ? errno : 0;
  if (failed == 0) failed = reserve(fd, 0, stores_offset(workers));
  for (uint32_t w = 0; w < workers && failed == 0; ++w) {
    failed = reserve(fd, store_offset(workers, w), kGroupsReservedAtOnce * sizeof(LatencyGroup));
  }
  if (failed != 0) {
    ::close(fd);
    ::unlink(path.c_str());
    return os_error("cannot reserve", path, failed);
  }
  return fd;
}

std::string check_header(const SegmentHeader& header, size_t file_size) {
  if (header.magic.load(std::memory_order_acquire) != kSegmentMagic) {
    return "wrong magic: not a telemetry segment, or one never completed";
  }
  if (header.version < kOldestSegmentVersion || header.version > kSegmentVersion) {
    return "version " + std::to_string(header.version) + ": expected " +
           std::to_string(kOldestSegmentVersion) + " or " + std::to_string(kSegmentVersion) +
           "; run an agent of the proxy's release, or of the one after it";
  }
  if (header.workers < 1 || header.workers > kMaxWorkers) {
    return std::to_string(header.workers) + " workers: expected 1 to " +
           std::to_string(kMaxWorkers);
  }
  const size_t expected =
      header.version == 1 ? v1::segment_size(header.workers) : segment_size(header.workers);
  if (header.size != expected || file_size != expected) {
    return "size " + std::to_string(header.size) + " in a file of " + std::to_string(file_size) +
           " bytes: expected " + std::to_string(expected);
  }
  return "";
}

}  // namespace

Pace unpack_pace(uint64_t packed) {
  Pace pace;
  pace.fast = static_cast<uint32_t>(packed & kCountMask);
  pace.slow = static_cast<uint32_t>((packed >> 20) & kCountMask);
  pace.slot = static_cast<uint32_t>((packed >> 40) & kSlotMask);
  return pace;
}

void record_latency(LatencyWriter& latencies, BackendCells& cells, LatencyKind kind,
                    Duration latency, Instant now) {
  latencies.record(cells.latency[kind.index()], latency.count());

  const auto slot = static_cast<uint64_t>(now.ns / kPaceSlot.count());
  Cell& cell = cells.pace[slot % kPaceSlots].packed;
  uint64_t packed = cell.get();
  if (packed >> 40 != (slot & kSlotMask)) packed = (slot & kSlotMask) << 40;
  const int shift = latency >= kSlowBound ? 20 : 0;
  if (((packed >> shift) & kCountMask) != kCountMask) packed += uint64_t{1} << shift;
  cell.set(packed);
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(const std::string& path,
                                                             std::string_view proxy,
                                                             std::string_view cluster,
                                                             uint32_t workers) {
  if (workers < 1 || workers > kMaxWorkers) {
    return Error(ErrorCode::kInvalid, "telemetry segment: " + std::to_string(workers) +
                                          " workers, expected 1 to " + std::to_string(kMaxWorkers));
  }
  const size_t size = segment_size(workers);
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  Result<int> created = create_file(temporary, workers);
  if (!created) return created.error();
  Closer file{*created};
  const auto fail = [&temporary](Error error) {
    ::unlink(temporary.c_str());
    return error;
  };
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return fail(os_error("cannot examine", path, errno));
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (memory == MAP_FAILED) return fail(os_error("cannot map", path, errno));

  std::unique_ptr<SegmentWriter> writer(
      new SegmentWriter(path, std::exchange(file.fd, -1), info.st_ino, memory, size, workers));
  SegmentHeader& header = *writer->header_;
  header.version = kSegmentVersion;
  header.workers = workers;
  header.size = size;
  header.generation = random_u64();
  header.pid = ::getpid();
  if (!copy_name(header.proxy, proxy)) return fail(bad_name("proxy", proxy, 63));
  if (!copy_name(header.cluster, cluster)) return fail(bad_name("cluster", cluster, 63));
  header.magic.store(kSegmentMagic, std::memory_order_release);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(os_error("cannot create", path, errno));
  }
  return writer;
}

// A fresh file is zero, which is the initial value of every member: nothing is constructed, so that
// only pages in use take memory bandwidth.
SegmentWriter::SegmentWriter(std::string path, int fd, uint64_t inode, void* memory, size_t size,
                             uint32_t workers)
    : path_(std::move(path)),
      fd_(fd),
      inode_(inode),
      memory_(memory),
      size_(size),
      header_(std::launder(static_cast<SegmentHeader*>(memory))) {
  latencies_.reserve(workers);
  for (uint32_t w = 0; w < workers; ++w) {
    const size_t offset = store_offset(workers, w);
    auto* store = reinterpret_cast<LatencyGroup*>(static_cast<char*>(memory) + offset);
    const LatencyWriter::Backing backing{fd, static_cast<int64_t>(offset)};
    latencies_.emplace_back(store, kGroupsReservedAtOnce, kMostGroups, backing);
  }
}

SegmentWriter::~SegmentWriter() {
  ::munmap(memory_, size_);
  ::close(fd_);
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0 && info.st_ino == inode_) ::unlink(path_.c_str());
}

Result<> SegmentWriter::move_to(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return os_error("cannot create", path, errno);
  path_ = path;
  return Done{};
}

WorkerBlock& SegmentWriter::worker(uint32_t index) {
  CHECK(index < header_->workers);
  char* blocks = static_cast<char*>(memory_) + sizeof(SegmentHeader);
  return reinterpret_cast<WorkerBlock*>(blocks)[index];
}

DetailBlock& SegmentWriter::detail(uint32_t index) {
  CHECK(index < header_->workers);
  char* blocks = static_cast<char*>(memory_) + details_offset(header_->workers);
  return reinterpret_cast<DetailBlock*>(blocks)[index];
}

LatencyWriter& SegmentWriter::latencies(uint32_t index) {
  CHECK(index < latencies_.size());
  return latencies_[index];
}

const LatencyGroup* SegmentWriter::latency_store(uint32_t worker) const {
  return store_in(memory_, header_->workers, worker);
}

void SegmentWriter::add_latencies(uint32_t worker, uint32_t backend, LatencyKind kind,
                                  Histogram& to) const {
  const WorkerBlock& block = const_cast<SegmentWriter*>(this)->worker(worker);
  telemetry::add_latencies(block.backends[backend].latency[kind.index()], latency_store(worker),
                           kMostGroups, to);
}

uint64_t SegmentWriter::latencies_lost() const {
  uint64_t lost = 0;
  for (uint32_t w = 0; w < header_->workers; ++w) lost += latency_store(w)->counts[0].get();
  return lost;
}

Result<uint32_t> SegmentWriter::backend_index(std::string_view name) {
  const auto count = static_cast<uint32_t>(header_->backend_count.get());
  for (uint32_t i = 0; i < count; ++i) {
    if (view_name(header_->backend_names[i]) == name) return i;
  }
  if (count == kMaxBackends) {
    return Error(ErrorCode::kExhausted, "telemetry segment: no room for backend \"" +
                                            printable(name, 80) + "\": this proxy has seen " +
                                            std::to_string(kMaxBackends) +
                                            " backends; restart it to forget the old ones");
  }
  if (!copy_name(header_->backend_names[count], name)) return bad_name("backend", name, 47);
  std::atomic_thread_fence(std::memory_order_release);  // the name, then the count that shows it
  header_->backend_count.set(count + 1);
  return count;
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(const std::string& path) {
  const Closer file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return os_error("cannot open", path, errno);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return os_error("cannot examine", path, errno);
  const auto size = static_cast<size_t>(info.st_size);
  const auto invalid = [&path](const std::string& why) {
    return Error(ErrorCode::kInvalid, "telemetry segment " + path + ": " + why);
  };
  if (!S_ISREG(info.st_mode)) return invalid("not a regular file");
  if (size < sizeof(SegmentHeader)) {
    return invalid("size " + std::to_string(size) + " bytes: shorter than a header");
  }
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
  if (memory == MAP_FAILED) return os_error("cannot map", path, errno);
  std::unique_ptr<SegmentReader> reader(new SegmentReader(memory, size));
  const std::string wrong = check_header(*reader->header_, size);
  if (!wrong.empty()) return invalid(wrong);
  return reader;
}

SegmentReader::SegmentReader(const void* memory, size_t size)
    : memory_(memory),
      size_(size),
      header_(std::launder(static_cast<const SegmentHeader*>(memory))),
      version_(header_->version),
      workers_(header_->workers) {}

SegmentReader::~SegmentReader() {
  ::munmap(const_cast<void*>(memory_), size_);
}

std::vector<std::string> SegmentReader::backend_names() const {
  const uint64_t count = std::min<uint64_t>(header_->backend_count.get(), kMaxBackends);
  std::atomic_thread_fence(std::memory_order_acquire);
  std::vector<std::string> names;
  for (uint64_t i = 0; i < count; ++i) names.emplace_back(view_name(header_->backend_names[i]));
  return names;
}

WorkerView SegmentReader::worker(uint32_t index) const {
  CHECK(index < workers_);
  if (version_ == 1) return WorkerView(v1::worker_in(memory_, index));
  return WorkerView(worker_in(memory_, index));
}

const DetailBlock& SegmentReader::detail(uint32_t index) const {
  CHECK(index < workers_);
  if (version_ == 1) return v1::no_details();
  const char* blocks = static_cast<const char*>(memory_) + details_offset(workers_);
  return reinterpret_cast<const DetailBlock*>(blocks)[index];
}

void SegmentReader::add_latencies(uint32_t worker_index, uint32_t backend, LatencyKind kind,
                                  Histogram& to) const {
  CHECK(worker_index < workers_ && backend < kMaxBackends);
  if (version_ == 1) {
    v1::add_latencies(v1::worker_in(memory_, worker_index).backends[backend], kind, to);
    return;
  }
  const WorkerBlock& block = worker_in(memory_, worker_index);
  telemetry::add_latencies(block.backends[backend].latency[kind.index()],
                           store_in(memory_, workers_, worker_index), kMostGroups, to);
}

std::string segment_directory(const std::string& dir) {
  if (::access("/dev/shm", W_OK) != 0) return dir + "/run";
  char folder[48];
  std::snprintf(folder, sizeof folder, "/dev/shm/mcguard-%016llx",
                static_cast<unsigned long long>(hash64(dir, 0)));
  return folder;
}

}  // namespace base::telemetry
