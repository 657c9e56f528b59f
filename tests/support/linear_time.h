// Whether work grows in proportion to its input. Counts the CPU time of the thread, which a busy
// machine hardly changes.
#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "gtest/gtest.h"

namespace sessioncast::tests {

inline constexpr size_t kSmallBytes = 64 * 1024;
inline constexpr size_t kLargeBytes = 2 * 1024 * 1024;

inline double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The least of some runs: whatever else there is makes a run longer.
template <typename Input, typename Work>
double SecondsOf(const Input& input, const Work& work, int runs) {
  double least = HUGE_VAL;
  for (int i = 0; i < runs; ++i) {
    const double begin = ThreadSeconds();
    work(input);
    least = std::min(least, ThreadSeconds() - begin);
  }
  return least;
}

// `make(bytes)` makes an input of about that size, `work(input)` is what is measured. 32 times the
// input may take 32 times the time, and 8 times that, since small inputs fit into the processor's
// caches; were it quadratic, it would be 32 times that.
template <typename Make, typename Work>
void ExpectLinear(const char* what, const Make& make, const Work& work) {
  constexpr double kFactor = static_cast<double>(kLargeBytes) / kSmallBytes;
  const double small = std::max(SecondsOf(make(kSmallBytes), work, 3), 1e-6);
  const double large = SecondsOf(make(kLargeBytes), work, 1);
  EXPECT_LT(large / small, kFactor * 8) << what << ": " << small << " s, then " << large << " s";
}

}  // namespace sessioncast::tests
