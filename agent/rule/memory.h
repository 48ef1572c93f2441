// Memory: what the rules have learned, as JSON text for the store, so that a restarted agent knows what is
// usual as its predecessor did.
//
// Idea: one list for each rule that learns, of plain entries that the rule itself gives and takes.
// Entries are about members by name, so that they hold whatever else changes. Lists and fields that an
// earlier version did not write may miss. Left out: readings of the last minutes, which are soon there again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/rule/drop.h"
#include "agent/rule/peer.h"
#include "agent/rule/saturation.h"
#include "agent/rule/shift.h"
#include "agent/rule/silence.h"
#include "agent/rule/surge.h"
#include "base/core/result.h"

namespace agent::rule {

struct Memory {
  std::vector<LearnedLink> links;
  std::vector<LearnedLevel> levels;
  std::vector<LearnedLevel> commands;  // of clients, a second
  std::vector<LearnedTraffic> traffic;
  std::vector<LearnedDifference> differences;
  std::vector<LearnedRhythm> rhythms;
  std::vector<LearnedHeight> heights;
};

// Thread: any, both. A few hundred bytes for each entry.
std::string to_json(const Memory& memory);
// kInvalid, and nothing of it, when any entry is not as to_json() writes it.
base::Result<Memory> parse_memory(std::string_view text);

}  // namespace agent::rule
