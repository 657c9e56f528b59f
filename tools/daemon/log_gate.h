// Lets ten lines at once into the log, and one a second: of what strangers can cause as often as they
// like.
//
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sessioncast::daemon {

class LogGate {
 public:
  using Clock = std::chrono::steady_clock;

  // Nothing: the line is held back. Else how it ends: "", or " (5 more such lines held back)".
  std::optional<std::string> Pass(Clock::time_point now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  Clock::time_point whole_at_ ABSL_GUARDED_BY(mutex_);  // when ten may come at once again
  uint64_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sessioncast::daemon
