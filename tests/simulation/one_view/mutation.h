// Mutations: mistakes that the simulation must find, one at a time. Each is what a plausible slip in
// the proxy or the controller would do; the default is the product as it is.
#pragma once

#include "base/time/clock.h"

namespace one_view {

struct Mutation {
  // The proxy.
  base::Duration fence_slack{0};   // records count for so much longer than kFenceWindow
  bool serve_moving = false;       // a prepared table is ignored until it is committed
  bool keep_replies = false;       // replies in flight are judged by the fence alone
  bool judge_by_tick = false;      // by the time of an earlier turn, not of the reply
  bool confirm_missing = false;    // a missing record counts as an old one
  bool acknowledge_early = false;  // before every worker serves by what was told
  bool forget_prepared = false;    // a restart knows the committed table only
  bool write_early = false;        // writes are taken while a flush is under way
  bool tell_durable = false;       // `status` tells what is on disk, not what workers serve by
  // The controller.
  bool fence_anywhere = false;    // a record on one backend counts for all
  bool commit_at_once = false;    // does not wait kFencedAfter
  bool flush_at_once = false;     // a flush is complete when the record is on every backend
  bool overwrite_record = false;  // without a look at what is there
  bool reuse_since = false;       // a slot keeps its since whoever owns it
  bool complete_early = false;    // a flush counts as complete as soon as it is durable
};

}  // namespace one_view
