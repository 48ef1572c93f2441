// What is said to nft, and what it answers. Pure.
//
// Our table is `inet mcguard`, with a priority of its own; no other table is ever named. New
// connections (the first packet of a TCP handshake, nothing else) to the memcache ports are looked
// up in four sets: counted or blocked, IPv4 by address, IPv6 by /64. So what is established goes
// on, and no state of the kernel's about connections is needed. A blocked source is answered with a
// reset five times a second, so that a client fails over at once, and beyond that with nothing,
// since each reset invites the next attempt.
//
// nft runs as a child that is spoken to line by line (nft -j -i): it takes 5 to 15 ms to start, and
// 2 to answer. A line is one transaction. As nothing tells where an answer ends, each line is
// followed by a question whose answer is known by its form: the list of ARP's tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/filter/table.h"
#include "base/core/result.h"

namespace agent::filter {

// Each is one line with its end, and the question after it. Texts of filters are checked by whoever
// calls (is_run_name), so nothing that came from elsewhere stands in them.
//
// Makes the table, or makes it over; filters that stand in it go on.
std::string setup_line(const std::vector<uint16_t>& ports);
std::string change_line(const std::vector<FilterChange::Addition>& additions,
                        const std::vector<FilterChange::Removal>& removals);
std::string list_line();
std::string remove_line();

// Whether all of an answer has come. Cheap, for every piece that comes.
bool is_whole_answer(std::string_view output);
// Whether it says that it can do nothing at all, now or later; then no whole answer comes.
bool is_hopeless(std::string_view output);
struct NftAnswer {
  std::string complaint;             // empty: it was done
  std::optional<Standing> standing;  // when the table was listed
};
// kInvalid: nft says what it should not; the text says what. Precondition: none.
base::Result<NftAnswer> read_answer(std::string_view output);

// Whether a complaint says that something named is not there: the table, or one of its sets.
bool is_missing(std::string_view complaint);
// What a complaint means for a person, with the remedy.
base::Error nft_error(std::string_view complaint);

}  // namespace agent::filter
