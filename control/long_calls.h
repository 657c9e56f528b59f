// The calls that last as long as their callers want: what a server that stops tells to end.
//
// Threads: any; a call is told outside of the mutex. Invariant: each call is told once, also one
// that comes after the others were.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace sessioncast::control {

// How a drained call ends.
absl::Status ServerStops();

class LongCall {
 public:
  virtual ~LongCall() = default;
  // Takes nothing more, answers what it has taken, and ends as UNAVAILABLE: the caller comes again,
  // elsewhere or later.
  virtual void Drain() = 0;
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
    LongCalls& calls_;
    const uint64_t number_;
  };

  // A call that has started; tells it at once, if the others were told.
  std::unique_ptr<Membership> Add(const std::shared_ptr<LongCall>& call)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::unordered_map<uint64_t, std::weak_ptr<LongCall>> calls_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sessioncast::control
