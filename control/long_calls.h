// The calls that last as long as their callers want: each is told to end when its token expires,
// and all are when the server stops.
//
// Threads: any; a call is told outside of the mutex. Invariant: each call is told of the stop once,
// also one that comes after the others were.
#pragma once

#include <grpcpp/alarm.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "control/access.h"

namespace sessioncast::control {

// How a drained call ends.
absl::Status ServerStops();

class LongCall {
 public:
  virtual ~LongCall() = default;
  // Takes nothing more, answers what it has taken, and ends with `status`. May be told again.
  virtual void EndWith(absl::Status status) = 0;
};

class LongCalls {
 public:
  // Until it goes, the call is told. It goes before the LongCalls do.
  class Membership {
   public:
    Membership(LongCalls& calls, uint64_t number) : calls_(calls), number_(number) {}
    ~Membership();
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    friend class LongCalls;

    LongCalls& calls_;
    const uint64_t number_;
    std::optional<grpc::Alarm> expiry_;
  };

  // A call of `caller` that has started; tells it at once, if the others were told.
  std::unique_ptr<Membership> Add(const std::shared_ptr<LongCall>& call, const Caller& caller)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::unordered_map<uint64_t, std::weak_ptr<LongCall>> calls_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sessioncast::control
