#include "agent/publish/publisher.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>

#include "base/core/file.h"
#include "base/telemetry/log.h"

namespace agent::publish {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {
constexpr std::string_view kMeta = "meta.json";
constexpr base::Duration kBeat = 100ms;  // of the agent's loops, whose wake-up it shares

asio::awaitable<base::Result<>> render_and_write(PageWriter& writer, PageModel model, bool whole) {
  FileSet files;
  if (whole) {
    files = render_page(model);
  } else {
    files[std::string(kMeta)] = render_meta_json(model);
  }
  co_return writer.write(files);
}
}  // namespace

base::Result<> PageWriter::write_one(const std::string& path, const std::string& content) {
  const size_t hash = std::hash<std::string>{}(content);
  const auto known = written_.find(path);
  if (known != written_.end() && known->second == hash) return base::Done{};
  // Unknown until the write has worked: after a failure the old file or the new one may be there.
  written_.erase(path);
  base::Result<> result =
      base::write_file_atomic(directory_ + "/" + path, content, base::Durability::kRenameOnly);
  if (result) {
    written_[path] = hash;
  } else {
    folders_.clear();
  }
  return result;
}

// Looked at again only after a failure, which may be because one is gone.
base::Result<> PageWriter::make_folders(const FileSet& files) {
  for (const auto& [path, content] : files) {
    const std::string whole = directory_ + "/" + path;
    std::string folder = whole.substr(0, whole.rfind('/'));
    if (folders_.contains(folder)) continue;
    base::Result<> made = base::make_directories(folder);
    if (!made) return made;
    folders_.insert(std::move(folder));
  }
  return base::Done{};
}

base::Result<> PageWriter::write(const FileSet& files) {
  base::Result<> first = make_folders(files);
  if (!first) return first;
  // The rest is still attempted after a failure: a page that is true in part beats an old one.
  for (const auto& [path, content] : files) {
    if (path == kMeta) continue;
    base::Result<> result = write_one(path, content);
    if (!result && first) first = result;
  }
  const auto meta = files.find(std::string(kMeta));
  if (first && meta != files.end()) return write_one(meta->first, meta->second);
  return first;
}

PagePublisher::PagePublisher(asio::any_io_executor executor, asio::any_io_executor disk,
                             base::Timers& timers, Options options, Source source)
    : executor_(std::move(executor)),
      disk_(std::move(disk)),
      timers_(timers),
      options_(std::move(options)),
      source_(std::move(source)),
      writer_(options_.directory) {}

void PagePublisher::start() {
  changed();
}

void PagePublisher::changed() {
  dirty_ = true;
  if (running_ || gate_.closed()) return;
  running_ = true;
  due_.reset();
  base::spawn(executor_, gate_, "page publication", publish_until_clean());
}

asio::awaitable<void> PagePublisher::publish_until_clean() {
  while (dirty_ && !gate_.closed()) {
    dirty_ = false;
    const base::Instant now = timers_.clock().now();
    next_ = now + options_.every;
    std::optional<PageModel> model = source_();
    if (!model) break;
    // The last beat at which they are not too old.
    const base::Instant old_at = told_at_ + options_.whole - kBeat;
    const bool whole = now >= old_at || !told_ || !told_->says_the_same(*model);
    if (whole) {
      told_ = *model;
      told_at_ = now;
    } else {
      next_ = std::min(next_, old_at);
    }
    base::Result<> result = co_await publish_once(std::move(*model), whole);
    if (!result) told_.reset();
    note(result);
  }
  running_ = false;
  if (!gate_.closed()) due_ = timers_.alarm(base::next_beat(next_, kBeat), [this] { changed(); });
}

asio::awaitable<base::Result<>> PagePublisher::publish_once(PageModel model, bool whole) {
  asio::awaitable<base::Result<>> work = render_and_write(writer_, std::move(model), whole);
  base::Result<> result = co_await asio::co_spawn(disk_, std::move(work), asio::use_awaitable);
  co_return result;
}

void PagePublisher::note(const base::Result<>& result) {
  if (result) {
    if (!counts_.last_error.empty()) base::log::info("page_write_recovered");
    ++counts_.writes;
    counts_.last_success = timers_.clock().wall();
    counts_.last_error.clear();
    return;
  }
  ++counts_.failures;
  counts_.last_error = result.error().context;
  next_ = timers_.clock().now() + options_.retry;
  base::log::warn("page_write_failed", {{"error", result.error()}});
}

asio::awaitable<void> PagePublisher::stop() {
  gate_.close();
  due_.reset();
  co_await gate_.wait_empty(timers_, timers_.clock().now() + 10s);
}

}  // namespace agent::publish
