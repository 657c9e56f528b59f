#include "control/long_calls.h"

#include <utility>
#include <vector>

namespace sessioncast::control {

absl::Status ServerStops() { return absl::UnavailableError("control stops; try again"); }

LongCalls::Membership::~Membership() {
  absl::MutexLock lock(&calls_.mutex_);
  calls_.calls_.erase(number_);
}

std::unique_ptr<LongCalls::Membership> LongCalls::Add(const std::shared_ptr<LongCall>& call) {
  std::unique_ptr<Membership> membership;
  {
    absl::MutexLock lock(&mutex_);
    membership = std::make_unique<Membership>(*this, next_number_);
    calls_.emplace(next_number_++, call);
    if (!draining_) return membership;
  }
  call->Drain();
  return membership;
}

void LongCalls::Drain() {
  std::vector<std::shared_ptr<LongCall>> told;  // a call that goes with it takes the mutex
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(draining_, true)) return;
    told.reserve(calls_.size());
    for (const auto& [number, call] : calls_) told.push_back(call.lock());
  }
  for (const std::shared_ptr<LongCall>& call : told) {
    if (call != nullptr) call->Drain();
  }
}

}  // namespace sessioncast::control
