// The latency shift of one cluster: a CUSUM for the cluster, for each proxy, each backend, each link.
//
// Idea (measured in the research on the outage of 2016): the share of slow requests moves when the
// mean hardly does and the median not at all. Each 10 ms slot of a link brings how many requests were
// slow and how many there were; their log likelihood ratio between a faulty and the usual share
// accumulates. What keeps it quiet otherwise:
//   - pauses: a run of slots in which everything of a proxy, a backend or the cluster is slow counts
//     as one slow request, until it has lasted a second;
//   - with tiny traffic, a moment in which other clusters are slow as well is the machine's;
//   - a slot's evidence is capped per proxy and counts as at most kTrials requests, so that neither
//     one bad moment nor sheer volume decides;
//   - slow slots must spread over several quarter seconds, fewer where many proxies look or the proxies
//     are known to have had a core;
//   - the usual share is learned with slow forgetting, clipped, and not at all while in doubt;
//   - a step of the load holds everything for some seconds and its share is learned: slowness that
//     comes with the load is overload, not the network. With the load it goes (load_step.h): what was usual
//     before is usual again. A link of which so much is slow under that load that a fault could not make it
//     `ratio` times as much proves nothing until then.
// Where the slow requests are those of proxies that had no time left in the same moments (busy.h), it is
// those proxies' trouble. Where echoes are told (echoes.h), they say whether it is the network or who
// answers, and against what they say of the network a busy proxy proves nothing. Without either it is
// called the network's.
// Left out: waiting for complete slots and naming clusters (shift.h).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/attribution.h"
#include "agent/rule/busy.h"
#include "agent/rule/echoes.h"
#include "agent/rule/latch.h"
#include "agent/rule/load_step.h"
#include "agent/rule/rules.h"
#include "agent/series/cusum.h"
#include "agent/series/label.h"
#include "agent/series/learned.h"
#include "agent/series/moments.h"
#include "agent/series/slots.h"

namespace agent::rule {

// Thread: the detector's. Owner: LatencyShift. Memory: about 2 KiB per link, and the slot buffer.
class ShiftCluster {
 public:
  // `number` is this cluster's in `moments`, which all clusters share.
  ShiftCluster(std::string name, const ShiftRule& rule, series::Moments& moments, uint32_t number)
      : name_(std::move(name)), rule_(rule), moments_(moments), number_(number) {}

  void observe(const series::Label& proxy, const series::Label& backend, base::Instant at,
               double slow, double all);
  // A link whose canaries are lost: requests that never end, told 10 times a second.
  void lost(const series::Label& proxy, const series::Label& backend, base::Instant now);
  // An echo over a link: how long it took, or nothing when it was lost.
  void echo(const series::Label& proxy, const series::Label& backend, base::Instant at,
            std::optional<double> seconds);
  // How busy a proxy was since it was told before, as shares of the time (ProxyBusy::told).
  void busy(const std::string& proxy, base::Instant at, double ran, double wanted);
  void waited(const std::string& proxy, base::Instant at, double share);
  // The links of this member prove nothing until `until`.
  void exclude(const incident::Scope& member, base::Instant until);
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);
  // A trouble is new, and echoes may say whose it is.
  bool wants_echoes(base::Instant now) const { return active_ && now < ask_until_; }

  // A link has said nothing since then, and no trouble is at hand.
  bool has_silent(base::Instant before) const;
  size_t link_count() const { return links_.size(); }
  // What is known of a link, for the next one to know it.
  struct Learned {
    series::Share share;                  // of its requests that are slow
    std::optional<series::Share> before;  // a step of the load that is not over,
    std::optional<LoadStep::Up> load;     // which is this one
    std::optional<LinkEchoes::Learned> echoes;
  };
  // proxy, backend, what was learned, when last heard.
  template <class Use>
  void each_learned(Use use) const {
    for (const Link& link : links_) {
      const Learned learned{link.share, link.before, load_.up(), link.echoes.learned()};
      use(rows_[link.row].name, columns_[link.column].name, learned, link.last);
    }
  }
  void restore(const series::Label& proxy, const series::Label& backend, const Learned& learned);

 private:
  static constexpr base::Duration kBin = LoadStep::kEvery;
  static constexpr size_t kBins = 64;  // 16 s, the longest look back
  static constexpr int64_t kSlotsPerBin = kBin.count() / series::SlotBuffer::kSlotNs;

  struct Bin {
    int64_t number = -1;
    float slow = 0, all = 0;
    float evidence = 0, judged = 0;  // and of how many requests it is
    uint32_t slow_slots = 0;         // a bit for each of its slots that had slow requests
  };
  // The log likelihood ratio of one slow, one fast request.
  struct Weights {
    double slow = 0, fast = 0;
  };
  struct Link {
    uint32_t row = 0, column = 0;
    series::Share share;
    std::optional<series::Share> before;  // the step of the load; none: the load is as usual
    std::optional<series::Share> loaded;  // under the last one, which is over
    Weights weights;
    base::Instant last, hold_until, learn_until;
    series::Cusum sum;
    std::array<Bin, kBins> bins{};
    double learn_slow = 0, learn_all = 0;  // since the last tick, pauses as one request,
    double told_slow = 0, told_all = 0;    // and as told
    double slow_under_load = 0;  // share as told, by time, that came with a step of the load
    bool can_tell = true;        // a fault from that,
    Weights loaded_weights;      // and while it cannot what it says of a trouble's end
    LinkEchoes echoes;
    Bin& bin(base::Instant at);
  };
  // A proxy, a backend or the whole: what its present slot and its run of slow slots say.
  struct Group {
    series::Label name;
    series::Cusum sum;
    base::Instant told;  // the newest slot that a proxy has told
    base::Instant run_begin, last_slot;
    bool was_slow = false;
    double slow = 0, all = 0, evidence = 0;  // of the slot at hand
    double pause_weight = 1;                 // what a request of this slot counts
  };

  uint32_t link_index(const series::Label& proxy, const series::Label& backend);
  bool is_link(uint32_t index, const series::Label& proxy, const series::Label& backend) const;
  ProxyBusy* busy_of(const std::string& proxy);  // null: it has no links
  Weights weights(double share) const;
  void take_slot(base::Instant at, const std::vector<series::SlotBuffer::Entry>& entries);
  void judge_pause(Group& group, base::Instant at);
  void add_evidence(base::Instant at);
  void tick(base::Instant at);
  void note_load(base::Instant at);
  static void note_load(Link& link, LoadStep::News news);
  bool is_well() const;
  void learn_load(Link& link, base::Instant at, double seconds) const;
  void reset_sums();
  bool is_in_doubt() const;
  bool covers(const Link& link) const;
  std::vector<MatrixCell> matrix(base::Instant since, base::Instant now) const;
  void look_for_trouble(base::Instant now);
  base::Instant complete(base::Instant now) const;
  bool had_cores(int64_t since_bin, base::Instant now) const;
  int needed_spread(Attribution::Kind kind, int slow_slots, int64_t since_bin,
                    base::Instant now) const;
  void close(const Attribution& where, base::Instant since, base::Instant now);
  void watch_trouble(base::Instant now);
  void ask_echoes(base::Instant now);
  void ask_busy(base::Instant now);
  std::string slow_member() const;
  bool is_of_members() const;
  bool is_overload() const;
  incident::Verdict verdict() const;

  // Constant after construction.
  const std::string name_;
  const ShiftRule& rule_;
  series::Moments& moments_;
  const uint32_t number_;

  series::SlotBuffer slots_;
  std::vector<Link> links_;
  std::vector<Group> rows_, columns_;
  std::vector<ProxyBusy> busy_;  // by row
  Group whole_;
  std::map<std::string, std::map<std::string, uint32_t, std::less<>>, std::less<>> index_;
  uint32_t last_index_ = 0;                                               // that link_index() gave
  std::vector<uint32_t> touched_links_, touched_rows_, touched_columns_;  // of the slot at hand
  std::vector<double> slot_slow_, slot_all_;                              // by touched link

  int64_t tick_ = -1;
  double bin_requests_ = 0;
  LoadStep load_;

  // The trouble at hand.
  bool active_ = false;
  bool ended_ = false;
  Attribution where_;
  base::Instant since_, last_sign_, last_data_;
  double health_ = 0;  // evidence that it is over
  double confidence_ = 1;
  double observed_ = 0, usual_ = 0;
  std::vector<incident::Evidence> evidence_;
  base::Instant ask_until_;
  EchoSays echoes_say_ = EchoSays::kNothing;
  std::string finding_;         // of the echoes, when they said so
  base::Instant decide_until_;  // whether it is the proxies'
  bool overloaded_ = false;     // the proxies concerned had no time left
  Latch overload_is_of_several_;
  std::string overloaded_proxy_;  // when it is only one
  std::string overload_finding_;
};

}  // namespace agent::rule
