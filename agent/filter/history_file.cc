// The file of a history: magic, options, what is known, the round's mark, positions of rings, days, checksum; all
// numbers of eight bytes, the least significant first.
#include <bit>
#include <cstring>

#include "agent/filter/history.h"
#include "base/core/hash.h"

namespace agent::filter {
namespace {

constexpr std::string_view kMagic = "MCGHIST2";  // the last digit is the version
constexpr uint64_t kMostRings = 1u << 16;
constexpr uint64_t kSeed = 0x6d6367686973746fULL;

void put(std::string& out, uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(number >> shift));
}

// Numbers from the front; ok() turns false where there are no more.
class Numbers {
 public:
  explicit Numbers(std::string_view bytes) : bytes_(bytes) {}
  uint64_t take() {
    if (bytes_.size() < 8) {
      is_ok_ = false;
      return 0;
    }
    uint64_t number = 0;
    for (size_t i = 8; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes_[i]);
    bytes_.remove_prefix(8);
    return number;
  }
  int64_t take_signed() { return static_cast<int64_t>(take()); }
  bool ok() const { return is_ok_; }
  size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  bool is_ok_ = true;
};

base::Error odd(const std::string& what) {
  return base::Error(base::ErrorCode::kInvalid,
                     "the history of authenticated addresses " + what +
                         "; it begins anew, and addresses are only counted for seven days");
}

}  // namespace

std::string AuthenticatedHistory::serialize() const {
  std::string out(kMagic);
  out.reserve(memory_bytes() + positions_.size() * 16 + 256);
  put(out, options_.addresses_a_day);
  put(out, std::bit_cast<uint64_t>(options_.false_positive_rate));
  put(out, static_cast<uint64_t>(known_since_.ns));
  put(out, static_cast<uint64_t>(known_until_.ns));
  put(out, static_cast<uint64_t>(gap_));
  put(out, mark_);
  put(out, positions_.size());
  for (const auto& [ring, read] : positions_) {
    put(out, ring);
    put(out, read);
  }
  for (const Day& day : days_) {
    put(out, static_cast<uint64_t>(day.number));
    for (const uint64_t word : day.filter.words()) put(out, word);
  }
  put(out, base::hash64(out, kSeed));
  return out;
}

base::Result<AuthenticatedHistory> AuthenticatedHistory::load(std::string_view bytes,
                                                              const HistoryOptions& options) {
  if (bytes.size() < kMagic.size() + 8) return odd("is truncated");
  if (bytes.substr(0, kMagic.size()) != kMagic) return odd("is of another version, or none");
  const std::string_view covered = bytes.substr(0, bytes.size() - 8);
  if (Numbers(bytes.substr(covered.size())).take() != base::hash64(covered, kSeed)) {
    return odd("is damaged: its checksum is wrong");
  }
  Numbers numbers(covered.substr(kMagic.size()));
  AuthenticatedHistory history(options);
  const uint64_t addresses = numbers.take();
  if (addresses != options.addresses_a_day ||
      numbers.take() != std::bit_cast<uint64_t>(options.false_positive_rate)) {
    return odd("was kept with other options");
  }
  history.known_since_.ns = numbers.take_signed();
  history.known_until_.ns = numbers.take_signed();
  const uint64_t gap = numbers.take();
  history.mark_ = numbers.take();
  const uint64_t rings = numbers.take();
  if (!numbers.ok() || gap > static_cast<uint64_t>(HistoryGap::kUnseen) || rings > kMostRings ||
      history.known_since_ > history.known_until_ ||
      numbers.left() != rings * 16 + kDaysKept * 8 + history.memory_bytes()) {
    return odd("is odd");
  }
  history.gap_ = static_cast<HistoryGap>(gap);
  for (uint64_t i = 0; i < rings; ++i) {
    const uint64_t ring = numbers.take();
    history.positions_[ring] = numbers.take();
  }
  for (size_t i = 0; i < kDaysKept; ++i) {
    Day& day = history.days_[i];
    day.number = numbers.take_signed();
    if (day.number >= 0 && static_cast<uint64_t>(day.number) % kDaysKept != i) return odd("is odd");
    for (uint64_t& word : day.filter.words()) word = numbers.take();
  }
  return history;
}

}  // namespace agent::filter
