#include "agent/rule/shift_cluster.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "agent/rule/phrase.h"
#include "agent/series/sample.h"

namespace agent::rule {

namespace {

using series::Label;
using series::SlotBuffer;

constexpr double kTrials = 16;     // a proxy's slot counts as at most so many requests
constexpr double kTiny = 8;        // requests in a cluster's slot; so few mix by chance only
constexpr double kTinyRate = 150;  // requests a second in a cluster
constexpr base::Duration kRunGap = 100ms;     // slots further apart are not one pause
constexpr base::Duration kLongestPause = 1s;  // what stays all slow for longer is no pause
constexpr base::Duration kComplete = 250ms;   // after so long every proxy has told its slot
constexpr base::Duration kNoData = 10s;
constexpr double kLostEvidence = 3;  // of one unanswered canary, each time it is told
constexpr double kHealthy = 20;      // log likelihood ratio that says the trouble is over
constexpr double kWiden = 5;         // by so much a wider place must be the better explanation
// Time constants, in seconds, of how much is slow under a new load, and of when that is over.
constexpr double kLoadComes = 2;
constexpr double kLoadGoes = 10;
constexpr size_t kEvidenceLinks = 16;
// Witnesses (proxies) from which on slowness need not be spread over as many quarter seconds, how many
// of them make up for one, and what is always needed: of a cluster, of one place in it.
constexpr int kFewWitnesses = 2;
constexpr int kWitnessesPerBin = 2;
constexpr int kLeastSpreadOfAll = 2;
constexpr int kLeastSpread = 3;
constexpr int kDenseSlots =
    12;  // with slow requests: no few short stalls, however many proxies saw them
// Below these shares of a quarter second a proxy had a core when it wanted one, and time left.
constexpr double kHardlyWaits = 0.05;
constexpr double kHasTime = 0.8;
constexpr base::Duration kEchoMemory = 120s;
// Of the slow requests, those at proxies that had no time left: from so many on it is said to be
// those proxies, until it is less than the second.
constexpr double kExplained = 0.8;
constexpr double kNoMoreExplained = 0.5;
// When that has to show at the latest: proxies that have no time left later may be so because clients repeat
// what a slow network has not answered.
constexpr base::Duration kDecideWithin = 3s;
// For so long after a trouble was found or has grown many echoes are wanted: that is enough for a
// verdict wherever echoes can say one, and what the agent spends on them has an end.
constexpr base::Duration kAskFor = 60s;

}  // namespace

ShiftCluster::Bin& ShiftCluster::Link::bin(base::Instant at) {
  const int64_t number = at.ns / kBin.count();
  Bin& found = bins[static_cast<size_t>(number) % kBins];
  if (found.number != number) {
    found = Bin{};
    found.number = number;
  }
  return found;
}

// What one slow and one fast request say about a link of which that share is usual.
ShiftCluster::Weights ShiftCluster::weights(double share) const {
  const double usual = std::clamp(share, rule_.least_share, 0.5);
  const double faulty = std::clamp(rule_.ratio * usual, rule_.fault_share, 0.95);
  return {std::log(faulty / usual), std::log((1 - faulty) / (1 - usual))};
}

bool ShiftCluster::is_link(uint32_t index, const Label& proxy, const Label& backend) const {
  if (index >= links_.size()) return false;
  const Link& link = links_[index];
  return columns_[link.column].name == backend && rows_[link.row].name == proxy;
}

// Links tell their slots in turn, each several at once: it is mostly the last one or that after it.
uint32_t ShiftCluster::link_index(const Label& proxy, const Label& backend) {
  for (const uint32_t likely : {last_index_, last_index_ + 1}) {
    if (is_link(likely, proxy, backend)) return last_index_ = likely;
  }
  auto& row_links = index_[proxy];
  if (const auto it = row_links.find(backend.text()); it != row_links.end()) {
    return last_index_ = it->second;
  }
  const auto place = [](std::vector<Group>& groups, const Label& name) {
    const auto it = std::find_if(groups.begin(), groups.end(),
                                 [&](const Group& group) { return group.name == name; });
    if (it != groups.end()) return static_cast<uint32_t>(it - groups.begin());
    groups.emplace_back().name = name;
    return static_cast<uint32_t>(groups.size() - 1);
  };
  Link link;
  link.row = place(rows_, proxy);
  link.column = place(columns_, backend);
  busy_.resize(rows_.size());
  link.weights = weights(link.share.share());
  links_.push_back(link);
  last_index_ = static_cast<uint32_t>(links_.size() - 1);
  return row_links[backend] = last_index_;
}

void ShiftCluster::observe(const Label& proxy, const Label& backend, base::Instant at, double slow,
                           double all) {
  if (all <= 0) return;
  const uint32_t index = link_index(proxy, backend);
  Link& link = links_[index];
  // New, or silent for so long that it is as good as new.
  if (link.last.ns == 0 || at - link.last > rule_.hold) {
    link.hold_until = std::max(link.hold_until, at + rule_.hold);
  }
  link.last = std::max(link.last, at);
  rows_[link.row].told = std::max(rows_[link.row].told, at);
  if (slow > 0) moments_.mark(at, number_);
  slots_.add(at, {index, static_cast<float>(std::min(slow, all)), static_cast<float>(all)});
}

void ShiftCluster::lost(const Label& proxy, const Label& backend, base::Instant now) {
  Link& link = links_[link_index(proxy, backend)];
  if (now < link.hold_until) return;
  link.last = std::max(link.last, now);
  link.bin(now).evidence += static_cast<float>(kLostEvidence);
  link.bin(now).slow += 1;
  link.bin(now).slow_slots |= 1u;
  link.bin(now).all += 1;
  const double cap = 2 * rule_.threshold_single;
  link.sum.add(kLostEvidence, now, cap);
  rows_[link.row].sum.add(kLostEvidence, now, cap);
  columns_[link.column].sum.add(kLostEvidence, now, cap);
  whole_.sum.add(kLostEvidence, now, cap);
  if (active_ && covers(link)) {
    last_data_ = last_sign_ = now;
    health_ = 0;
  }
}

// No sign of life of the link itself: one that carries no requests is in no trouble.
void ShiftCluster::echo(const Label& proxy, const Label& backend, base::Instant at,
                        std::optional<double> seconds) {
  Link& link = links_[link_index(proxy, backend)];
  const bool teaches = !is_in_doubt();
  if (seconds) {
    link.echoes.answered(at, *seconds, teaches);
  } else {
    link.echoes.lost(at, teaches);
  }
}

// One whose requests are not known yet has nothing to explain.
ProxyBusy* ShiftCluster::busy_of(const std::string& proxy) {
  const auto found = index_.find(proxy);
  if (found == index_.end() || found->second.empty()) return nullptr;
  return &busy_[links_[found->second.begin()->second].row];
}

void ShiftCluster::busy(const std::string& proxy, base::Instant at, double ran, double wanted) {
  if (ProxyBusy* const busy = busy_of(proxy)) busy->told(at, ran, wanted);
}
void ShiftCluster::waited(const std::string& proxy, base::Instant at, double share) {
  if (ProxyBusy* const busy = busy_of(proxy)) busy->told_waited(at, share);
}

void ShiftCluster::exclude(const incident::Scope& member, base::Instant until) {
  for (Link& link : links_) {
    const bool row = !member.proxy.empty() && rows_[link.row].name == member.proxy;
    const bool column = !member.backend.empty() && columns_[link.column].name == member.backend;
    if (!row && !column) continue;
    // The moments before it was known to be sick are no evidence either.
    if (until > link.hold_until) {
      link.hold_until = until;
      link.sum.reset();
      for (Bin& bin : link.bins) bin.evidence = bin.judged = 0;
    }
  }
}

// Decides what a request of this slot counts for the group: 1 usually; 0 within a pause; at a pause's
// beginning as much as makes one request of all.
void ShiftCluster::judge_pause(Group& group, base::Instant at) {
  const bool slow = group.slow >= group.all;
  const bool goes_on = slow && group.was_slow && at - group.last_slot <= kRunGap;
  if (!goes_on) group.run_begin = at;
  group.was_slow = slow;
  group.last_slot = at;
  group.pause_weight = 1;
  if (!slow || at - group.run_begin >= kLongestPause) return;
  group.pause_weight = goes_on ? 0 : 1 / group.all;
}

void ShiftCluster::take_slot(base::Instant at, const std::vector<SlotBuffer::Entry>& entries) {
  tick(at);
  touched_links_.clear();
  touched_rows_.clear();
  touched_columns_.clear();
  slot_slow_.clear();
  slot_all_.clear();
  whole_.slow = whole_.all = whole_.evidence = 0;
  for (const SlotBuffer::Entry& entry : entries) {
    bin_requests_ += entry.all;
    Link& link = links_[entry.link];
    if (at < link.hold_until) continue;
    touched_links_.push_back(entry.link);
    slot_slow_.push_back(entry.slow);
    slot_all_.push_back(entry.all);
    const auto touch = [&](Group& group, std::vector<uint32_t>* touched, uint32_t index) {
      if (group.all == 0 && touched != nullptr) touched->push_back(index);
      group.slow += entry.slow;
      group.all += entry.all;
    };
    touch(rows_[link.row], &touched_rows_, link.row);
    touch(columns_[link.column], &touched_columns_, link.column);
    touch(whole_, nullptr, 0);
  }
  if (touched_links_.empty()) return;
  for (const uint32_t row : touched_rows_) judge_pause(rows_[row], at);
  for (const uint32_t column : touched_columns_) judge_pause(columns_[column], at);
  judge_pause(whole_, at);
  add_evidence(at);
  for (const uint32_t row : touched_rows_) {
    rows_[row].slow = rows_[row].all = rows_[row].evidence = 0;
  }
  for (const uint32_t column : touched_columns_) {
    columns_[column].slow = columns_[column].all = columns_[column].evidence = 0;
  }
}

void ShiftCluster::add_evidence(base::Instant at) {
  const double cap = 2 * rule_.threshold_single;
  const double slot_cap = rule_.slot_cap;
  const bool held = load_.is_new(at);
  const bool tiny = whole_.all <= kTiny;
  // Beyond a tiny rate chance alone makes most moments shared.
  const bool shared = load_.rate() <= kTinyRate && moments_.is_shared(at, number_);
  double sign = 0;
  for (size_t i = 0; i < touched_links_.size(); ++i) {
    Link& link = links_[touched_links_[i]];
    Group& row = rows_[link.row];
    Group& column = columns_[link.column];
    const double weight = std::min({row.pause_weight, column.pause_weight, whole_.pause_weight});
    const double slow = slot_slow_[i] * weight;
    const double all = slot_all_[i] * weight;
    Bin& bin = link.bin(at);
    bin.slow += static_cast<float>(slot_slow_[i]);
    if (slot_slow_[i] > 0) bin.slow_slots |= 1u << (at.ns / SlotBuffer::kSlotNs % kSlotsPerBin);
    bin.all += static_cast<float>(slot_all_[i]);
    link.learn_slow += slow;
    link.learn_all += all;
    link.told_slow += slot_slow_[i];
    link.told_all += slot_all_[i];
    if (held) continue;
    const double scale = row.all > kTrials ? kTrials / row.all : 1;
    const Weights& weights = link.can_tell ? link.weights : link.loaded_weights;
    double llr = scale * (slow * weights.slow + (all - slow) * weights.fast);
    if (active_ && covers(link)) sign += std::min(llr, slot_cap);
    if (!link.can_tell) continue;
    if (shared) llr = std::min(llr, 0.0);
    bin.evidence += static_cast<float>(std::min(llr, slot_cap));
    bin.judged += static_cast<float>(slot_all_[i]);
    link.sum.add(std::min(llr, slot_cap), at, cap);
    row.evidence += llr;
    column.evidence += llr;
  }
  if (held) return;
  double total = 0;
  for (const uint32_t index : touched_rows_) {
    const double llr = std::min(rows_[index].evidence, slot_cap);
    rows_[index].sum.add(llr, at, cap);
    total += llr;
  }
  for (const uint32_t index : touched_columns_) {
    columns_[index].sum.add(std::min(columns_[index].evidence, slot_cap), at, cap);
  }
  // Proxies may share a machine: what is slow in the same moment may have one reason, and that of one
  // or two requests on each of many links surely counts once.
  const auto rows = static_cast<double>(touched_rows_.size());
  total = std::min(total, tiny ? slot_cap : slot_cap * std::sqrt(rows));
  whole_.sum.add(total, at, cap);
  if (!active_) return;
  last_data_ = at;
  health_ = std::clamp(health_ - sign, 0.0, 2 * kHealthy);
  if (health_ <= 0) last_sign_ = at;
}

bool ShiftCluster::is_in_doubt() const {
  return active_ || whole_.sum.value() > rule_.threshold_cluster / 2;
}

void ShiftCluster::reset_sums() {
  whole_.sum.reset();
  for (Group& row : rows_) row.sum.reset();
  for (Group& column : columns_) column.sum.reset();
  for (Link& link : links_) {
    link.sum.reset();
    for (Bin& bin : link.bins) bin.evidence = bin.judged = 0;
  }
}

// Once per quarter second: the load, and what the links learn.
void ShiftCluster::tick(base::Instant at) {
  const int64_t number = at.ns / kBin.count();
  if (number == tick_) return;
  const bool first = tick_ < 0;
  const double passed = first ? 1 : static_cast<double>(number - tick_);
  tick_ = number;
  if (!first) note_load(at);
  bin_requests_ = 0;
  const double seconds = passed * base::to_seconds(kBin);
  const double decay = std::exp(-seconds / base::to_seconds(rule_.forget));
  const bool held = load_.is_new(at);
  const bool doubt = is_in_doubt();
  for (Link& link : links_) {
    link.share.decay(decay);
    if (link.before) link.before->decay(decay);
    if (link.loaded) link.loaded->decay(decay);
    link.echoes.decay(decay);
    learn_load(link, at, seconds);
    // Slowness that came with a step of the load is learned as it is; doubtful times teach nothing.
    if (held || !doubt) {
      link.share.learn(link.learn_slow, link.learn_all, held ? 0 : rule_.clip, rule_.least_share);
      link.weights = weights(link.share.share());
    }
    link.learn_slow = link.learn_all = link.told_slow = link.told_all = 0;
  }
}

// By what was usual before a step of the load, at least half of the links are well. That a few are not
// is no overload.
bool ShiftCluster::is_well() const {
  int well = 0, all = 0;
  for (const Link& link : links_) {
    if (link.told_all <= 0) continue;
    const Weights usual = weights(link.before.value_or(link.share).share());
    const double fast = link.told_all - link.told_slow;
    well += link.told_slow * usual.slow + fast * usual.fast < 0;
    ++all;
  }
  return 2 * well >= all;
}

// How much of a link is slow because the load is as it is: what comes with a step, and less when that passes.
void ShiftCluster::learn_load(Link& link, base::Instant at, double seconds) const {
  if (load_.is_up() && link.told_all > 0) {
    const bool comes = load_.is_new(at);
    const double part = std::min(1.0, seconds / (comes ? kLoadComes : kLoadGoes));
    const double change = part * (link.told_slow / link.told_all - link.slow_under_load);
    if (comes || change < 0) link.slow_under_load += change;
  }
  link.can_tell = !load_.is_up() || rule_.ratio * link.slow_under_load < 1;
  if (!link.can_tell) link.loaded_weights = weights(link.slow_under_load);
}

void ShiftCluster::note_load(base::Instant at) {
  // Trouble that was there before the load grew is not the load's doing.
  const bool before = is_in_doubt() && (active_ || at - whole_.sum.since() > 1s);
  const double rate = bin_requests_ / base::to_seconds(kBin);
  const bool is_known_well = load_.is_up() && is_well();
  const LoadStep::News news = load_.note({rate, !before, is_known_well}, at, rule_);
  if (news == LoadStep::News::kNone) return;
  // The quarter that began with the step was judged by what was usual before it.
  const bool steps = news == LoadStep::News::kSteps || news == LoadStep::News::kStepsAgain;
  if (steps) reset_sums();
  for (Link& link : links_) {
    note_load(link, news);
    link.weights = weights(link.share.share());
  }
}

void ShiftCluster::note_load(Link& link, LoadStep::News news) {
  switch (news) {
    case LoadStep::News::kSteps:
      if (!link.before) link.before = link.share;
      link.loaded.reset();
      link.share.lighten();
      link.slow_under_load = 0;
      break;
    case LoadStep::News::kStepsAgain:
      if (link.before) break;
      link.before = link.share;
      if (link.loaded) link.share = *std::exchange(link.loaded, std::nullopt);
      break;
    case LoadStep::News::kIsOver:
      if (!link.before) break;
      link.loaded = link.share;
      link.share = *std::exchange(link.before, std::nullopt);
      break;
    case LoadStep::News::kIsUsual:
      link.before.reset();
      link.loaded.reset();
      break;
    case LoadStep::News::kNone:
      break;
  }
}

bool ShiftCluster::covers(const Link& link) const {
  switch (where_.kind) {
    case Attribution::Kind::kAll:
      return true;
    case Attribution::Kind::kRow:
      return link.row == where_.row;
    case Attribution::Kind::kColumn:
      return link.column == where_.column;
    case Attribution::Kind::kLink:
      return link.row == where_.row && link.column == where_.column;
  }
  return false;
}

std::vector<MatrixCell> ShiftCluster::matrix(base::Instant since, base::Instant now) const {
  const int64_t begin = since.ns / kBin.count();
  std::vector<MatrixCell> cells;
  for (const Link& link : links_) {
    if (now < link.hold_until || now - link.last > kNoData) continue;
    MatrixCell cell{link.row, link.column, 0, 0};
    for (const Bin& bin : link.bins) {
      if (bin.number < begin) continue;
      cell.evidence += bin.evidence;
      cell.requests += bin.judged;
    }
    cells.push_back(cell);
  }
  return cells;
}

void ShiftCluster::look_for_trouble(base::Instant now) {
  // Whoever is furthest beyond its threshold says since when to look.
  double worst = whole_.sum.value() / rule_.threshold_cluster;
  base::Instant since = whole_.sum.since();
  const auto ask = [&](const series::Cusum& sum) {
    const double level = sum.value() / rule_.threshold_single;
    if (level <= worst) return;
    worst = level;
    since = sum.since();
  };
  for (const Group& row : rows_) ask(row.sum);
  for (const Group& column : columns_) ask(column.sum);
  for (const Link& link : links_) ask(link.sum);
  if (worst < 1) return;

  since = std::max(since, now - (kBins - 2) * kBin);
  const Attribution where = attribute(matrix(since, now));
  const double needed =
      where.kind == Attribution::Kind::kAll ? rule_.threshold_cluster : rule_.threshold_single;
  // The cost of the choice is not evidence of health: a little below the threshold will do.
  if (where.score < 0.9 * needed) return;
  close(where, since, now);
}

// Until when every proxy has told its slots. One that has told nothing for a while is not waited for.
base::Instant ShiftCluster::complete(base::Instant now) const {
  base::Instant all = now;
  bool any = false;
  for (const Group& row : rows_) {
    if (now - row.told > kComplete) continue;
    any = true;
    all = std::min(all, row.told + base::Duration(SlotBuffer::kSlotNs));
  }
  return any ? all : now - kComplete;
}

// Whether the proxies concerned had a core whenever they wanted one, and were not busy, while their
// requests were slow. What has just happened may not be known yet.
bool ShiftCluster::had_cores(int64_t since_bin, base::Instant now) const {
  const int64_t newest = now.ns / kBin.count() - 1;
  bool any = false;
  for (const Link& link : links_) {
    if (!covers(link) || now < link.hold_until) continue;
    for (const Bin& bin : link.bins) {
      if (bin.number < since_bin || bin.slow <= 0) continue;
      const ProxyBusy::Shares shares = busy_[link.row].within(bin.number);
      if (bin.number < newest && (shares.seconds <= 0 || !shares.is_waiting_known)) return false;
      if (shares.waited >= kHardlyWaits || shares.wanted >= kHasTime) return false;
      any = any || shares.is_waiting_known;
    }
  }
  return any;
}

// Over how many quarter seconds slow requests must be spread. What a single machine without a free core
// suffers now and then lasts for a second at most. Proxies that had a core, or many that say the same in
// moment after moment, or that say that all is well but for one, need not wait for that to pass.
int ShiftCluster::needed_spread(Attribution::Kind kind, int slow_slots, int64_t since_bin,
                                base::Instant now) const {
  if (slow_slots < kDenseSlots) return rule_.spread;
  const int least =
      std::min(rule_.spread, kind == Attribution::Kind::kAll ? kLeastSpreadOfAll : kLeastSpread);
  if (had_cores(since_bin, now)) return least;
  std::vector<bool> saw(rows_.size());
  for (const Link& link : links_) {
    if (now < link.hold_until) continue;
    saw[link.row] = saw[link.row] ||
                    std::any_of(link.bins.begin(), link.bins.end(),
                                [&](auto& bin) { return bin.number >= since_bin && bin.all > 0; });
  }
  const auto witnesses = static_cast<int>(std::count(saw.begin(), saw.end(), true));
  const int spared = std::max(0, witnesses - kFewWitnesses) / kWitnessesPerBin;
  return std::max(least, rule_.spread - spared);
}

// Closes on a place if the slow requests there are spread over time, and writes down what was seen.
void ShiftCluster::close(const Attribution& where, base::Instant since, base::Instant now) {
  const Attribution before = where_;
  where_ = where;
  const int64_t begin = since.ns / kBin.count();
  std::array<uint32_t, kBins> slow_slots{};
  double slow = 0, all = 0, usual = 0;
  std::vector<incident::Evidence> evidence;
  for (const Link& link : links_) {
    if (!covers(link) || now < link.hold_until) continue;
    double link_slow = 0, link_all = 0;
    for (size_t i = 0; i < kBins; ++i) {
      if (link.bins[i].number < begin) continue;
      link_slow += link.bins[i].slow;
      link_all += link.bins[i].all;
      slow_slots[i] |= link.bins[i].slow_slots;
    }
    if (link_all <= 0) continue;
    slow += link_slow;
    all += link_all;
    usual += link.share.share() * link_all;
    if (evidence.size() >= kEvidenceLinks) continue;
    evidence.push_back({series::to_string({"link_pace", name_, rows_[link.row].name,
                                           columns_[link.column].name, ""}),
                        link.share.share(), link_slow / link_all, "share of slow requests"});
  }
  int spread = 0, moments = 0;
  for (const uint32_t slots : slow_slots) {
    spread += slots != 0;
    moments += std::popcount(slots);
  }
  if (spread < needed_spread(where.kind, moments, begin, now) || all <= 0) {
    where_ = before;
    return;
  }
  if (!active_) {
    overloaded_ = false;
    decide_until_ = now + kDecideWithin;
  }
  active_ = true;
  since_ = since;
  last_sign_ = last_data_ = now;
  health_ = 0;
  confidence_ = std::clamp(1 / (1 + std::exp(-where.margin / 2)), 0.5, 0.99);
  observed_ = slow / all;
  usual_ = usual / all;
  evidence_ = std::move(evidence);
  echoes_say_ = EchoSays::kNothing;
  finding_.clear();
  ask_busy(now);
  ask_until_ = now + kAskFor;
  ask_echoes(now);
}

std::string ShiftCluster::slow_member() const {
  switch (where_.kind) {
    case Attribution::Kind::kRow:
      return "the proxy is slow";
    case Attribution::Kind::kColumn:
      return "the backend is slow";
    case Attribution::Kind::kLink:
      return "the proxy or the backend is slow";
    case Attribution::Kind::kAll:
      break;
  }
  return "the proxies or the backends are slow";
}

bool ShiftCluster::is_of_members() const {
  if (rule_.type != incident::Type::kNetworkDegraded) return false;
  return echoes_say_ == EchoSays::kMembers || is_overload();
}

bool ShiftCluster::is_overload() const {
  return overloaded_ && echoes_say_ != EchoSays::kNetwork;
}

// A proxy without time is slow towards all backends: one backend or link that is slow is another matter.
void ShiftCluster::ask_busy(base::Instant now) {
  if (!overloaded_ && now > decide_until_) return;
  const bool wide = where_.kind == Attribution::Kind::kAll;
  if (!wide && where_.kind != Attribution::Kind::kRow) {
    overloaded_ = false;
    return;
  }
  const int64_t begin = std::max(since_, now - (kBins - 2) * kBin).ns / kBin.count();
  BusyWitness witness({rule_.busy, rule_.no_core});
  for (const Link& link : links_) {
    if (!covers(link) || now < link.hold_until) continue;
    for (const Bin& bin : link.bins) {
      if (bin.number >= begin) witness.hear(link.row, busy_[link.row], bin.number, bin.slow);
    }
  }
  if (!witness.has_heard()) return;  // all its links are held, or it is ending: no news
  // What nobody knows is no proof of it, and none against it.
  const bool was = overloaded_;
  overloaded_ = was ? witness.may_explain() >= kNoMoreExplained : witness.explained() >= kExplained;
  if (!overloaded_) return;
  const std::vector<uint32_t> proxies = witness.proxies();
  if (proxies.empty()) return;
  if (!was) overload_is_of_several_ = Latch();
  // A second one that comes and goes is of the same trouble.
  const bool several = proxies.size() > 1;
  overload_is_of_several_.update(several, several, now, now, rule_.clear_after);
  const std::string only = overload_is_of_several_.active() ? Label() : rows_[proxies[0]].name;
  // What is found is told once, not with each new figure.
  if (was && only == overloaded_proxy_) return;
  overloaded_proxy_ = only;
  overload_finding_ = witness.sentence();
}

// What they have said stands until they are sure of something else.
void ShiftCluster::ask_echoes(base::Instant now) {
  EchoWitness witness;
  const base::Instant since = std::max(since_, now - kEchoMemory);
  for (const Link& link : links_) {
    if (!covers(link) || now < link.hold_until || now - link.last > kNoData) continue;
    witness.hear(link.echoes, since);
  }
  const EchoSays says = witness.says();
  if (says == EchoSays::kNothing || says == echoes_say_) return;
  echoes_say_ = says;
  finding_ = witness.sentence(slow_member());
}

void ShiftCluster::watch_trouble(base::Instant now) {
  const bool healthy = health_ >= kHealthy && last_data_ - last_sign_ >= rule_.clear_after;
  if (healthy || now - last_data_ >= kNoData) {
    active_ = false;
    ended_ = true;
    reset_sums();
    return;
  }
  ask_busy(now);
  ask_echoes(now);
  if (where_.kind == Attribution::Kind::kAll) return;
  // The first sign of a wide trouble may have come from one place.
  const Attribution wider = attribute(matrix(now - (kBins - 2) * kBin, now));
  if (wider.kind == Attribution::Kind::kAll && wider.score >= rule_.threshold_cluster &&
      wider.margin >= kWiden) {
    close(wider, since_, now);
  }
}

incident::Verdict ShiftCluster::verdict() const {
  incident::Verdict verdict;
  verdict.rule = rule_.name;
  verdict.type = is_of_members() ? incident::Type::kMemberSlow : rule_.type;
  verdict.scope.cluster = name_;
  const bool row = where_.kind == Attribution::Kind::kRow;
  const bool column = where_.kind == Attribution::Kind::kColumn;
  const bool link = where_.kind == Attribution::Kind::kLink;
  if (row || link) verdict.scope.proxy = rows_[where_.row].name;
  if (is_of_members() && is_overload() && !row) verdict.scope.proxy = overloaded_proxy_;
  if (column || link) verdict.scope.backend = columns_[where_.column].name;
  verdict.active = active_;
  verdict.confidence = confidence_;
  verdict.since = since_;
  verdict.sentence = percent_text(observed_) +
                     " of the requests between proxies and backends take 5 ms or more (usually " +
                     percent_text(usual_) + "): " + verdict.scope.to_string() + ".";
  if (is_overload()) verdict.finding = overload_finding_;
  if (!verdict.finding.empty() && !finding_.empty()) verdict.finding += " ";
  verdict.finding += finding_;
  if (!verdict.finding.empty()) verdict.sentence += " " + verdict.finding;
  verdict.evidence = evidence_;
  return verdict;
}

void ShiftCluster::evaluate(base::Instant now, std::vector<incident::Verdict>& out) {
  slots_.take(complete(now),
              [this](base::Instant at, const auto& entries) { take_slot(at, entries); });
  std::optional<incident::Verdict> old;
  if (!rule_.enabled) {
    ended_ = ended_ || active_;
    active_ = false;
  } else if (active_) {
    old = verdict();
    watch_trouble(now);
  } else {
    look_for_trouble(now);
  }
  if (!active_ && !ended_) return;
  ended_ = false;
  incident::Verdict present = verdict();
  if (old && active_ && (old->type != present.type || old->scope != present.scope)) {
    old->active = false;
    out.push_back(std::move(*old));
  }
  out.push_back(std::move(present));
}

void ShiftCluster::restore(const Label& proxy, const Label& backend, const Learned& learned) {
  Link& link = links_[link_index(proxy, backend)];
  link.share = learned.share;
  link.before = learned.before;
  if (learned.load) load_.restore(*learned.load);
  if (learned.echoes) link.echoes.restore(*learned.echoes);
  link.weights = weights(link.share.share());
}

bool ShiftCluster::has_silent(base::Instant before) const {
  return !active_ && std::any_of(links_.begin(), links_.end(), [&](const Link& link) {
    return link.last.ns != 0 && link.last < before;
  });
}

}  // namespace agent::rule
