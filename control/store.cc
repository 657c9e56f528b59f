#include "control/store.h"

#include <cassert>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {

void BreakChain(const StoreAppend& append) {
  if (append.chain != nullptr) append.chain->broken = true;
}

absl::Status CheckBehind(const StoreAppend& append, const Position& top) {
  const Position& after = append.after;
  assert(append.events.empty() || append.events.front()->sequence == after.sequence() + 1);
  if (append.chain != nullptr && append.chain->broken)
    return absl::AbortedError("what it rests on was not stored");
  if (after == top) return absl::OkStatus();
  BreakChain(append);
  return absl::AbortedError(absl::StrCat("the top is ", top.sequence(), " of epoch '", top.epoch(),
                                         "', not ", after.sequence(), " of '", after.epoch(), "'"));
}

absl::Status ReadError(const absl::Status& status) {
  return absl::IsDataLoss(status) ? status : absl::UnavailableError(status.message());
}

}  // namespace sessioncast::control
