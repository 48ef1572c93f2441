#include "base/samples/segments.h"

#include <string.h>

#include <algorithm>
#include <filesystem>

namespace base::samples {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (at->path().extension() == ".seg") files.push_back(at->path().string());
  }
  return files;
}

}  // namespace

base::Result<std::vector<Segment>> open_segments(const SegmentChoice& choice) {
  const std::string folder = base::telemetry::segment_directory(choice.dir);
  const std::vector<std::string> files = choice.files.empty() ? files_in(folder) : choice.files;
  std::vector<Segment> segments;
  for (const std::string& file : files) {
    auto reader = base::telemetry::SegmentReader::open(file);
    if (!reader) return reader.error();
    const auto& name = (*reader)->header().proxy;
    Segment segment{std::string(name.data(), ::strnlen(name.data(), name.size())), nullptr};
    segment.reader = std::move(*reader);
    if (choice.proxy.empty() || segment.proxy == choice.proxy) {
      segments.push_back(std::move(segment));
    }
  }
  if (segments.empty() && files.empty()) {
    return Error(ErrorCode::kNotFound,
                 "no proxy of " + choice.dir + " has its telemetry here (" + folder +
                     "); run this on the proxies' machine, or name the file with --segment");
  }
  if (segments.empty()) {
    return Error(ErrorCode::kNotFound, "no telemetry of a proxy " + choice.proxy + " in " +
                                           (choice.files.empty() ? folder : "these files") +
                                           "; see mcguard proxy list");
  }
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.proxy < b.proxy; });
  return segments;
}

}  // namespace base::samples
