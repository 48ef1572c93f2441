// Segments: the telemetry of the proxies on this machine, read where they write it.
//
// Nobody is asked: it works while a proxy is stuck and when the agent is gone, and costs them nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/telemetry/segment.h"

namespace base::samples {

struct SegmentChoice {
  std::string dir;                 // of the region: all of its proxies …
  std::vector<std::string> files;  // … unless there are files, which then are all
  std::string proxy;               // only this one; empty: all
};

struct Segment {
  std::string proxy;
  std::unique_ptr<base::telemetry::SegmentReader> reader;
};

// At least one, by the proxies' names. kNotFound says where none was.
base::Result<std::vector<Segment>> open_segments(const SegmentChoice& choice);

}  // namespace base::samples
