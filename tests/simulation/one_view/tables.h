// Tables: epoch tables and what follows from them, computed by the real rooms and kept, since
// thousands of runs need the same few.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/core/slots.h"
#include "proxy/ring/ring.h"
#include "proxy/ring/view.h"

namespace one_view {

using proxy::ring::TablePtr;
using ViewPtr = std::shared_ptr<const proxy::ring::View>;

class Tables {
 public:
  // Weights are by the backends' order. `previous` may be null.
  TablePtr next(const TablePtr& previous, base::Epoch epoch, const std::vector<uint32_t>& weights,
                bool reuse_since);
  ViewPtr view(const TablePtr& committed, const TablePtr& prepared, base::Epoch known);
  const std::set<std::string>& old_owners(const TablePtr& from, const TablePtr& to);
  // Before a run: forgets everything when it has become a lot.
  void trim();

  static std::string backend_id(size_t index) { return "backend-" + std::to_string(index + 1); }

 private:
  // Tables are never freed while a key names them (trim drops all maps at once).
  using TableKey = std::tuple<const base::EpochTable*, base::Epoch, std::vector<uint32_t>, bool>;
  using Pair = std::pair<const base::EpochTable*, const base::EpochTable*>;
  std::map<TableKey, TablePtr> tables_;
  std::map<std::pair<Pair, base::Epoch>, ViewPtr> views_;
  std::map<Pair, std::set<std::string>> owners_;
};

}  // namespace one_view
