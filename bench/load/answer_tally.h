// What was sent, and what became of it, within a window of time.
//
// Pure, not thread-safe.
#pragma once

#include <cstdint>

#include "bench/load/histogram.h"
#include "bench/load/sender.h"

namespace sessioncast::bench {

class AnswerTally {
 public:
  AnswerTally(int64_t window_begin_ns, int64_t window_end_ns)
      : window_begin_ns_(window_begin_ns), window_end_ns_(window_end_ns) {}

  // `intended_ns`: when it should have been.
  void OnSent(uint64_t events, int64_t intended_ns, int64_t now_ns);
  // A message that was refused in part counts as its events do; its time counts for both.
  void OnOutcome(const Outcome& outcome, int64_t now_ns);

  uint64_t offered = 0;
  uint64_t acknowledged = 0;
  uint64_t refused = 0;  // RESOURCE_EXHAUSTED
  uint64_t hinted = 0;   // of the refused: told when to try again
  uint64_t failed = 0;   // in any other way
  Histogram late_ns;     // of the sending
  Histogram acknowledged_ns;
  Histogram refused_ns;

 private:
  bool IsInWindow(int64_t now_ns) const {
    return now_ns >= window_begin_ns_ && now_ns < window_end_ns_;
  }

  const int64_t window_begin_ns_;
  const int64_t window_end_ns_;
};

}  // namespace sessioncast::bench
