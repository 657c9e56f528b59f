// Lets so many lines a second into the log: of what clients can cause as often as they like.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "edge/engineio/rate.h"

namespace sessioncast::edge {

class LogGate {
 public:
  // How many lines were held back since the last that was let through; nothing: this one is, too.
  std::optional<uint64_t> Pass(engineio::Clock::time_point now) {
    const absl::MutexLock lock(&mutex_);
    if (meter_.Take(limit_, now)) return std::exchange(held_back_, 0);
    ++held_back_;
    return std::nullopt;
  }

 private:
  const engineio::RateLimit limit_{.name = "log", .per_s_max = 1, .burst_max = 10};
  absl::Mutex mutex_;
  engineio::RateMeter meter_ ABSL_GUARDED_BY(mutex_);
  uint64_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The end of a line that was let through: how many were not, if any.
inline std::string HeldBack(uint64_t lines) {
  return lines == 0 ? std::string() : absl::StrCat(" (", lines, " more such lines held back)");
}

}  // namespace sessioncast::edge
