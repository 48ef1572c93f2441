// Expiry: a certificate that ends within days. Nothing is inferred: its end is written in it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/incident/incident.h"
#include "agent/rule/rules.h"
#include "agent/rule/told.h"
#include "agent/series/sample.h"

namespace agent::rule {

// Thread: the detector's. Owner: the detector.
class Expiry {
 public:
  explicit Expiry(const ExpiryRule& rule) : rule_(rule) {}
  void set_rule(const ExpiryRule& rule) { rule_ = rule; }

  void left(const series::Sample& sample);  // in seconds; negative: it has ended
  void evaluate(base::Instant now, std::vector<incident::Verdict>& out);
  void forget_silent(base::Instant before);
  size_t series_count() const { return certificates_.size(); }

 private:
  struct Certificate : Told {
    double left = 0;
    base::Instant at;
  };

  ExpiryRule rule_;
  std::map<std::string, Certificate> certificates_;  // by cluster
};

}  // namespace agent::rule
