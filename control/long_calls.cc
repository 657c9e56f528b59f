#include "control/long_calls.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace sessioncast::control {
namespace {

void EndAtExpiry(const std::shared_ptr<LongCall>& call, absl::Time expiry,
                 std::optional<grpc::Alarm>& alarm) {
  if (expiry == absl::InfiniteFuture()) return;
  // By the monotonic clock: gRPC's timers know no other.
  const int64_t millis = absl::ToInt64Milliseconds(expiry - absl::Now()) + 1;
  alarm.emplace();
  alarm->Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(millis, GPR_TIMESPAN)),
            [weak = std::weak_ptr<LongCall>(call)](bool expired) {
              if (!expired) return;
              if (const std::shared_ptr<LongCall> self = weak.lock()) self->EndWith(TokenExpired());
            });
}

}  // namespace

absl::Status ServerStops() { return absl::UnavailableError("control stops; try again"); }

LongCalls::Membership::~Membership() {
  absl::MutexLock lock(&calls_.mutex_);
  calls_.calls_.erase(number_);
}

std::unique_ptr<LongCalls::Membership> LongCalls::Add(const std::shared_ptr<LongCall>& call,
                                                        const Caller& caller) {
  std::unique_ptr<Membership> membership;
  {
    absl::MutexLock lock(&mutex_);
    membership = std::make_unique<Membership>(*this, next_number_);
    calls_.emplace(next_number_++, call);
    if (!draining_) {
      EndAtExpiry(call, caller.expiry(), membership->expiry_);
      return membership;
    }
  }
  call->EndWith(ServerStops());
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
    if (call != nullptr) call->EndWith(ServerStops());
  }
}

}  // namespace sessioncast::control
