// How much may be queued for one socket: all that a limit allows, or less once it proved slow.
//
// Pure, not thread-safe: it is told the time. A socket whose queue passed its budget is slow: its
// budget falls to the least, and doubles whenever a multiple of it has drained at once, up to the
// limit, where it is slow no more. A multiple, since what drains at once may have gone no further
// than into the kernel's buffers. So what waits for a slow socket is never much older than it takes
// to drain.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace sessioncast::edge {

class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Drained within: it may be that the socket is quick; drained after: the budget is halved.
  static constexpr std::chrono::milliseconds kFast{50};
  static constexpr std::chrono::milliseconds kSlow{500};
  // So many budgets in a row that drained within kFast: the budget doubles.
  static constexpr size_t kProofBudgets = 8;

  struct Limits {
    size_t queue_bytes_max = 256 * 1024;
    size_t slow_queue_bytes_min = 1'024;
  };

  explicit Pace(Limits limits) : limits_(limits), budget_bytes_(limits.queue_bytes_max) {}

  size_t budget_bytes() const { return budget_bytes_; }
  bool slow() const { return budget_bytes_ < limits_.queue_bytes_max; }

  // The queue passed the budget.
  void Overflowed() {
    budget_bytes_ = limits_.slow_queue_bytes_min;
    began_.reset();
    proof_bytes_ = 0;
  }
  // So many bytes were queued. Whether their draining is to be told.
  bool Queued(Time now, size_t bytes) {
    if (!slow()) return false;
    proof_bytes_ += bytes;
    if (began_.has_value()) return false;
    began_ = now;
    return true;
  }
  // The queue is empty.
  void Drained(Time now) {
    if (!began_.has_value()) return;
    const Time::duration taken = now - *began_;
    began_.reset();
    if (taken > kFast) proof_bytes_ = 0;
    if (taken >= kSlow) {
      budget_bytes_ = std::max(budget_bytes_ / 2, limits_.slow_queue_bytes_min);
    }
    if (proof_bytes_ >= kProofBudgets * budget_bytes_) {
      budget_bytes_ = std::min(budget_bytes_ * 2, limits_.queue_bytes_max);
      proof_bytes_ = 0;
    }
  }

 private:
  const Limits limits_;
  size_t budget_bytes_;
  std::optional<Time> began_;  // the queue has not been empty since
  size_t proof_bytes_ = 0;     // queued since it last did not drain within kFast
};

}  // namespace sessioncast::edge
