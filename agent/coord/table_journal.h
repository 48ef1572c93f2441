// TableJournal: each cluster's epoch tables as the store has them, and how far a change has come.
//
//   stable --begin--> preparing --fencing--> fencing --commit--> stable
//                         \--rollback--> stable        (also from fencing, while no record can
//                         exist)
//
// Every arrow is durable before the coordinator acts on it; the way back is taken in memory first, so
// that no record of the new epoch can be claimed while it is being written. Epoch numbers are never
// used twice, not even after a rollback (`last_epoch`). A write of which the store does not say
// whether it took place is looked up before the next one.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/coord/region.h"
#include "agent/store/store.h"
#include "base/core/result.h"
#include "base/core/slots.h"

namespace agent::coord {

enum class ChangePhase { kStable, kPreparing, kFencing };
std::string_view to_string(ChangePhase phase);

// Of a backend in a table; 0: it owns nothing or is not there.
uint32_t weight_in(const base::EpochTable& table, std::string_view backend);

// A cluster's table state. Invariant: `prepared` is set exactly when phase is not kStable.
struct ClusterTables {
  base::EpochTable committed;  // epoch 0: none yet
  std::string committed_json;
  std::optional<base::EpochTable> prepared;
  std::string prepared_json;
  ChangePhase phase = ChangePhase::kStable;
  base::Epoch last_epoch = 0;

  uint32_t weight_of(std::string_view backend) const;  // in the committed table
  // How many slots of the committed table each of its backends owns. Costs a look at every slot. The
  // names are the table's own.
  std::map<std::string_view, uint32_t> slots() const;
};

// Thread: the control thread's; one change per cluster at a time (Tables sees to it). Owner: app.
class TableJournal {
 public:
  TableJournal(const Region& region, store::Store& store);
  boost::asio::awaitable<base::Result<>> load();
  // Precondition: a cluster of the region.
  const ClusterTables& at(std::string_view cluster) const;

  boost::asio::awaitable<base::Result<>> begin(std::string cluster, base::EpochTable table);
  boost::asio::awaitable<base::Result<>> fencing(std::string cluster);
  boost::asio::awaitable<base::Result<>> commit(std::string cluster);
  boost::asio::awaitable<base::Result<>> rollback(std::string cluster);
  // Looks up a write whose outcome is not known, if there is one: afterwards the state here is the
  // store's. An error while the store cannot say.
  boost::asio::awaitable<base::Result<>> settle(std::string cluster);
  // The next epoch will be higher than `epoch` (seen on a proxy or in a record: the store is
  // older).
  void raise_floor(std::string_view cluster, base::Epoch epoch);
  // The highest number ever given out, also one that was rolled back.
  base::Epoch last_epoch(std::string_view cluster) const;
  // The newest epoch that a fence record may name.
  base::Epoch fence_epoch(std::string_view cluster) const;
  uint64_t change_count() const { return changes_; }

 private:
  struct Slot {
    ClusterTables tables;
    store::Revision revision = 0;
    bool retreating = false;  // a rollback is decided, perhaps not durable yet
    // A write whose outcome is not known: what the store has if it took place.
    std::optional<ClusterTables> unsure;
  };
  boost::asio::awaitable<base::Result<>> save(std::string cluster, ClusterTables next);

  const Region& region_;
  store::Store& store_;
  std::map<std::string, Slot, std::less<>> clusters_;
  uint64_t changes_ = 0;
};

}  // namespace agent::coord
