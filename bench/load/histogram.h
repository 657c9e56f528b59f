// A log-linear histogram: how often which value was seen, to 1 part in 128.
//
// Pure, not thread-safe: one a thread, merged at the end. 58 KiB each, whatever it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sessioncast::bench {

class Histogram {
 public:
  // Exact up to this; above, each power of two has so many steps.
  static constexpr int64_t kSteps = 128;

  Histogram();

  // A value below 0 counts as 0.
  void Record(int64_t value);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // 0 when there is none.
  int64_t max() const { return max_; }
  // The least value that at least this part (0..1) of all does not exceed, as the upper end of its
  // step, at most max(). 0 when there is none.
  int64_t Quantile(double part) const;

 private:
  static size_t StepOf(int64_t value);
  static int64_t UpperEndOf(size_t step);

  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace sessioncast::bench
