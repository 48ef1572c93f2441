#include "base/telemetry/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>

#include "base/core/rng.h"
#include "base/core/text.h"

namespace base::telemetry {
namespace {

static_assert(std::atomic<uint64_t>::is_always_lock_free, "cells are read across processes");
static_assert(sizeof(SegmentHeader) % alignof(WorkerBlock) == 0, "blocks follow the header");

constexpr uint64_t kCountMask = (1u << 20) - 1;
constexpr uint64_t kSlotMask = (1u << 24) - 1;

size_t segment_size(uint32_t workers) {
  return sizeof(SegmentHeader) + size_t{workers} * sizeof(WorkerBlock);
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

// Creates the file with all its pages reserved: a store to a page that a full /dev/shm cannot give
// would be a SIGBUS in the middle of serving.
Result<int> create_file(const std::string& path, size_t size) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return os_error("cannot create", path, errno);
  int failed = EINTR;
  while (failed == EINTR) failed = ::posix_fallocate(fd, 0, static_cast<off_t>(size));
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
  constexpr uint32_t kOldest = std::max(1u, kSegmentVersion - 1);
  if (header.version < kOldest || header.version > kSegmentVersion) {
    return "version " + std::to_string(header.version) + ": expected " + std::to_string(kOldest) +
           " to " + std::to_string(kSegmentVersion) + "; run agent and proxy of the same release";
  }
  if (header.workers < 1 || header.workers > kMaxWorkers) {
    return std::to_string(header.workers) + " workers: expected 1 to " +
           std::to_string(kMaxWorkers);
  }
  const size_t expected = segment_size(header.workers);
  if (header.size != expected || file_size != expected) {
    return "size " + std::to_string(header.size) + " in a file of " + std::to_string(file_size) +
           " bytes: expected " + std::to_string(expected);
  }
  return "";
}

}  // namespace

size_t histogram_bucket(int64_t nanoseconds) {
  if (nanoseconds < (int64_t{1} << kHistogramMinBits)) return 0;
  if (nanoseconds >= (int64_t{1} << kHistogramMaxBits)) return kHistogramBuckets - 1;
  const auto value = static_cast<uint64_t>(nanoseconds);
  const int octave = std::bit_width(value) - 1;
  const uint64_t sub = (value >> (octave - kHistogramSubBits)) & ((1u << kHistogramSubBits) - 1);
  return 1 + (static_cast<size_t>(octave - kHistogramMinBits) << kHistogramSubBits) + sub;
}

int64_t histogram_upper_bound_ns(size_t bucket) {
  if (bucket == 0) return int64_t{1} << kHistogramMinBits;
  if (bucket >= kHistogramBuckets - 1) return std::numeric_limits<int64_t>::max();
  const size_t index = bucket - 1;
  const int octave = static_cast<int>(index >> kHistogramSubBits) + kHistogramMinBits;
  const auto sub = static_cast<int64_t>(index & ((1u << kHistogramSubBits) - 1));
  return ((int64_t{1} << kHistogramSubBits) + sub + 1) << (octave - kHistogramSubBits);
}

Pace unpack_pace(uint64_t packed) {
  Pace pace;
  pace.fast = static_cast<uint32_t>(packed & kCountMask);
  pace.slow = static_cast<uint32_t>((packed >> 20) & kCountMask);
  pace.slot = static_cast<uint32_t>((packed >> 40) & kSlotMask);
  return pace;
}

void record_latency(BackendCells& cells, Leg leg, Duration latency, Instant now) {
  const int64_t ns = std::max<int64_t>(latency.count(), 0);
  const auto index = static_cast<size_t>(leg);
  cells.latency[index][histogram_bucket(ns)].add();
  cells.latency_sum_ns[index].add(static_cast<uint64_t>(ns));

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
  Result<int> created = create_file(temporary, size);
  if (!created) return created.error();
  const Closer file{*created};
  const auto fail = [&temporary](Error error) {
    ::unlink(temporary.c_str());
    return error;
  };
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return fail(os_error("cannot examine", path, errno));
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (memory == MAP_FAILED) return fail(os_error("cannot map", path, errno));

  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(path, info.st_ino, memory, size));
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
SegmentWriter::SegmentWriter(std::string path, uint64_t inode, void* memory, size_t size)
    : path_(std::move(path)),
      inode_(inode),
      memory_(memory),
      size_(size),
      header_(std::launder(static_cast<SegmentHeader*>(memory))) {}

SegmentWriter::~SegmentWriter() {
  ::munmap(memory_, size_);
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0 && info.st_ino == inode_) ::unlink(path_.c_str());
}

WorkerBlock& SegmentWriter::worker(uint32_t index) {
  CHECK(index < header_->workers);
  char* blocks = static_cast<char*>(memory_) + sizeof(SegmentHeader);
  return reinterpret_cast<WorkerBlock*>(blocks)[index];
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

const WorkerBlock& SegmentReader::worker(uint32_t index) const {
  CHECK(index < workers_);
  const char* blocks = static_cast<const char*>(memory_) + sizeof(SegmentHeader);
  return reinterpret_cast<const WorkerBlock*>(blocks)[index];
}

}  // namespace base::telemetry
