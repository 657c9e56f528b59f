// Log-linear histograms, against all values sorted.
#include "bench/load/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace sessioncast::bench {
namespace {

TEST(HistogramTest, WithoutValuesEverythingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.Quantile(0.99), 0);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int64_t value = 1; value <= 100; ++value) histogram.Record(value);
  EXPECT_EQ(histogram.Quantile(0), 1);
  EXPECT_EQ(histogram.Quantile(0.5), 50);
  EXPECT_EQ(histogram.Quantile(0.99), 99);
  EXPECT_EQ(histogram.Quantile(1), 100);
}

TEST(HistogramTest, EachQuantileIsWithinOnePartIn128OfTheSortedValues) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(12, 3);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<int64_t>(latency(random)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double part : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(values.size())));
    const int64_t exact = values[rank - 1];
    EXPECT_GE(histogram.Quantile(part), exact) << part;
    EXPECT_LE(histogram.Quantile(part), exact + exact / Histogram::kSteps + 1) << part;
  }
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(HistogramTest, TheEndsOfEachPowerOfTwoFallIntoTheirOwnSteps) {
  for (int bit = 0; bit < 63; ++bit) {
    for (const int64_t value :
         {(int64_t{1} << bit) - 1, int64_t{1} << bit, (int64_t{1} << bit) + 1}) {
      Histogram histogram;
      histogram.Record(value);
      histogram.Record(INT64_MAX);
      EXPECT_GE(histogram.Quantile(0.5), value);
      EXPECT_LE(histogram.Quantile(0.5), value + value / Histogram::kSteps);
    }
  }
}

TEST(HistogramTest, ValuesBelowZeroCountAsZero) {
  Histogram histogram;
  histogram.Record(-5);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.Quantile(1), 0);
}

TEST(HistogramTest, MergedIsAsRecordedInOne) {
  Histogram odd;
  Histogram even;
  Histogram all;
  for (int64_t value = 0; value < 100'000; value += 7) {
    (value % 2 == 1 ? odd : even).Record(value);
    all.Record(value);
  }
  odd.Merge(even);
  EXPECT_EQ(odd.count(), all.count());
  EXPECT_EQ(odd.max(), all.max());
  for (const double part : {0.1, 0.5, 0.99}) EXPECT_EQ(odd.Quantile(part), all.Quantile(part));
}

}  // namespace
}  // namespace sessioncast::bench
