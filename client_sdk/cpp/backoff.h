// How long to wait before trying again: doubling, each wait a random part between half and all.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <chrono>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "sessioncast/client.h"
#include "sessioncast/retry.h"

namespace sessioncast {

class Backoff {
 public:
  explicit Backoff(const RetryOptions& options)
      : min_(std::max(options.backoff_min, std::chrono::milliseconds(1))),
        max_(std::max(options.backoff_max, min_)),
        next_(min_) {}

  // After a try that ended with `why`.
  std::chrono::milliseconds Next(const absl::Status& why) {
    const std::chrono::milliseconds all = next_;
    next_ = std::min(2 * next_, max_);
    const std::chrono::milliseconds own(
        absl::Uniform(absl::IntervalClosed, random_, all.count() / 2, all.count()));
    return std::max(own, RetryAfter(why).value_or(own));
  }
  void Reset() { next_ = min_; }

 private:
  const std::chrono::milliseconds min_;
  const std::chrono::milliseconds max_;
  std::chrono::milliseconds next_;
  absl::BitGen random_;
};

}  // namespace sessioncast
