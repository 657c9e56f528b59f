// The time, by a clock that is not set: the wall clock as it was when the process began, and what a
// steady clock has counted since. Deadlines and events' times use it, so that a jump of the wall
// clock moves neither; a restart takes the wall clock as it is then.
//
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "absl/time/time.h"

namespace sessioncast::control {

using Clock = std::function<absl::Time()>;

class SteadyWallClock {
 public:
  // `wall` is the time at the beginning.
  explicit SteadyWallClock(absl::Time wall) : wall_(wall) {}

  absl::Time operator()() const {
    return wall_ + absl::FromChrono(std::chrono::steady_clock::now() - begin_);
  }

 private:
  absl::Time wall_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Wakes one waiter. Not absl's condition variable, since that one waits by the wall clock.
class Alarm {
 public:
  // Until it rings, or `pause` has passed; what rang before counts.
  void Wait(absl::Duration pause);
  void Ring();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

}  // namespace sessioncast::control
