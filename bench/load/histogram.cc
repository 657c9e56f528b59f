#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sessioncast::bench {
namespace {

constexpr int kStepBits = std::bit_width(static_cast<uint64_t>(Histogram::kSteps)) - 1;
constexpr int kValueBits = 63;
constexpr size_t kStepsInAll = (kValueBits - kStepBits + 1) * Histogram::kSteps;

}  // namespace

Histogram::Histogram() : counts_(kStepsInAll) {}

void Histogram::Record(int64_t value) {
  value = std::max<int64_t>(value, 0);
  ++counts_[StepOf(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

int64_t Histogram::Quantile(double part) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  uint64_t seen = 0;
  for (size_t step = 0; step < counts_.size(); ++step) {
    seen += counts_[step];
    if (seen >= rank) return std::min(UpperEndOf(step), max_);
  }
  return max_;
}

size_t Histogram::StepOf(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  const int shift = std::max(0, static_cast<int>(std::bit_width(bits)) - (kStepBits + 1));
  return static_cast<size_t>(shift) * kSteps + (bits >> shift);
}

int64_t Histogram::UpperEndOf(size_t step) {
  if (step < 2 * kSteps) return static_cast<int64_t>(step);
  const int shift = static_cast<int>(step / kSteps) - 1;
  const uint64_t first = (kSteps + step % kSteps) << shift;
  return static_cast<int64_t>(first + (uint64_t{1} << shift) - 1);
}

}  // namespace sessioncast::bench
