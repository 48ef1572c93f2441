#include "proxy/ring/view.h"

#include <algorithm>

#include "base/core/check.h"

namespace proxy::ring {

std::shared_ptr<const View> compile_view(const base::EpochTable* committed,
                                         const base::EpochTable* prepared, base::Epoch known,
                                         std::vector<BackendRef> backends) {
  auto view = std::make_shared<View>();
  view->committed = committed == nullptr ? 0 : committed->epoch;
  view->prepared = prepared == nullptr ? 0 : prepared->epoch;
  view->known = std::max({known, view->committed, view->prepared});
  view->backends = std::move(backends);
  for (const BackendRef& backend : view->backends) {
    CHECK(backend.index < view->owner_hash.size());
    view->owner_hash[backend.index] = backend.hash;
  }
  if (committed == nullptr) {
    for (SlotEntry& entry : view->slots) entry.moving = true;
    return view;
  }
  std::vector<uint16_t> index_of(committed->backends.size(), kNoBackend);
  for (size_t i = 0; i < committed->backends.size(); ++i) {
    for (const BackendRef& backend : view->backends) {
      if (backend.id == committed->backends[i].id) index_of[i] = backend.index;
    }
  }
  for (uint32_t s = 0; s < base::kSlotCount; ++s) {
    SlotEntry& entry = view->slots[s];
    entry.since = committed->since[s];
    if (committed->owner[s] != base::EpochTable::kNoOwner) {
      entry.backend = index_of[committed->owner[s]];
    }
    entry.moving =
        prepared != nullptr && base::slot_moves(*committed, *prepared, static_cast<base::Slot>(s));
  }
  return view;
}

}  // namespace proxy::ring
