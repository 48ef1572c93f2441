// Alerts: what Prometheus found and Alertmanager sent, as verdicts for the incident book.
//
// Idea: an alert that fires is offered to the book at each call, like a rule's verdict, until
// Alertmanager says that it is resolved; so the book's own rules hold for it: one incident per alert
// (by its fingerprint), none when an incident explains it already, and one that comes back soon
// reopens. It is of the type `other`, whatever its labels say: nobody outside may choose a runbook
// that disturbs. Its labels cluster, proxy and backend become the scope where they name what there is.
//
// Bounded: kMost alerts fire at a time, texts are cut. An alert of which nothing was heard for kForget
// is over; Alertmanager repeats them long before.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/incident/book.h"
#include "agent/incident/incident.h"
#include "base/core/result.h"

namespace agent::incident {

// What a label may name.
struct KnownNames {
  std::set<std::string, std::less<>> clusters;
  std::map<std::string, std::string, std::less<>> proxies, backends;  // -> cluster
};

struct Alert {
  std::string fingerprint;
  std::string name;     // the label alertname
  std::string summary;  // the annotation; may be empty
  Scope scope;
  base::WallTime starts;
  bool firing = true;
};

// Alertmanager's webhook message, version 4. Members that are not needed are not looked at. kInvalid
// says which is wrong and what was expected.
base::Result<std::vector<Alert>> parse_alerts(const boost::json::object& message,
                                              const KnownNames& names);

// Thread: the control thread's. Owner: app.
class Alerts {
 public:
  static constexpr size_t kMost = 256;
  static constexpr base::Duration kForget = std::chrono::hours(7 * 24);

  struct Received {
    size_t firing = 0, resolved = 0;  // as taken; resolved: of those that were known
  };
  // Resolved ones first, so that there is room. kExhausted: some of the new ones had none; the others
  // are taken.
  base::Result<Received> receive(std::vector<Alert> alerts, Moment at);
  // After a start: the alerts of incidents that are not resolved still fire.
  void restore(const std::vector<const Incident*>& unresolved, base::Instant now);

  // Those that fire, for IncidentBook::apply.
  std::vector<Verdict> verdicts(base::Instant now);
  // By fingerprint.
  std::vector<Alert> firing() const;
  size_t size() const { return firing_.size(); }
  const Received& received() const { return received_; }  // since the start

 private:
  struct Known {
    Alert alert;
    base::Instant since;  // when it began, by the monotonic clock
    base::Instant heard;
  };
  std::map<std::string, Known, std::less<>> firing_;
  Received received_;
};

}  // namespace agent::incident
