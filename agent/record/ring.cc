#include "agent/record/ring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/core/file.h"
#include "base/core/text.h"

namespace agent::record {

namespace {

constexpr std::string_view kEnding = ".mcgrec";

base::Error io_error(const std::string& what) {
  return {base::ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

}  // namespace

base::Result<std::vector<SegmentFile>> list_segments(const std::string& folder) {
  std::error_code failed;
  std::vector<SegmentFile> files;
  std::filesystem::directory_iterator entry(folder, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    const auto number = base::parse_u64(name.substr(0, name.size() - kEnding.size()));
    struct stat about {};
    if (!number || ::stat(entry->path().c_str(), &about) != 0) continue;
    files.push_back({entry->path().string(),
                     *number,
                     static_cast<uint64_t>(about.st_size),
                     {about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec}});
  }
  if (failed) {
    return base::Error(base::ErrorCode::kNotFound,
                       "cannot read the folder " + folder + ": " + failed.message());
  }
  std::sort(files.begin(), files.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.number < b.number; });
  return files;
}

base::Result<> Ring::open_folder() {
  if (auto made = base::make_directories(folder_, 0700); !made) return made;
  auto found = list_segments(folder_);
  if (!found) return found.error();
  files_.assign(found->begin(), found->end());
  bytes_ = 0;
  for (const SegmentFile& file : files_) bytes_ += file.bytes;
  is_known_ = true;
  return base::Done{};
}

base::Result<> Ring::begin_segment() {
  if (!is_known_) {
    if (auto opened = open_folder(); !opened) return opened;
  }
  char name[32];
  const uint64_t number = files_.empty() ? 1 : files_.back().number + 1;
  std::snprintf(name, sizeof name, "/%012llu", static_cast<unsigned long long>(number));
  const std::string path = folder_ + name + std::string(kEnding);
  file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
  if (!file_.valid()) {
    is_known_ = false;
    return io_error("cannot create " + path);
  }
  files_.push_back({path, number, 0, {}});
  return base::Done{};
}

// Never the one that is written.
void Ring::make_room() {
  while (bytes_ > limit_ && files_.size() > 1) {
    ::unlink(files_.front().path.c_str());
    bytes_ -= files_.front().bytes;
    files_.pop_front();
  }
}

base::Result<> Ring::append(std::string_view bytes, bool begins) {
  if (begins) {
    file_.reset();
    if (auto begun = begin_segment(); !begun) return begun;
  }
  if (!file_.valid()) return base::Error(base::ErrorCode::kIo, "no segment is open");
  SegmentFile& segment = files_.back();
  const uint64_t whole = segment.bytes;
  segment.bytes += bytes.size();
  bytes_ += bytes.size();
  make_room();  // first, so that the limit holds at every moment
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      const base::Error error = io_error("cannot write " + segment.path);
      give_up(whole);
      return error;
    }
  }
  return base::Done{};
}

// What follows would refer to what is missing, so the segment ends here: after its last whole
// block, and nowhere if it has none.
void Ring::give_up(uint64_t whole) {
  SegmentFile& segment = files_.back();
  struct stat about {};
  uint64_t kept = whole;
  if (::ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) {
    // The torn block stays, which a reader leaves out, and counts.
    const bool is_known = ::fstat(file_.get(), &about) == 0;
    kept = is_known ? static_cast<uint64_t>(about.st_size) : segment.bytes;
  }
  file_.reset();
  bytes_ -= segment.bytes - kept;
  segment.bytes = kept;
  if (kept == 0 && ::unlink(segment.path.c_str()) == 0) files_.pop_back();
}

}  // namespace agent::record
