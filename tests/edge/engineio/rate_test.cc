#include "edge/engineio/rate.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;

class RateTest : public testing::Test {
 protected:
  // How many of so many at once are granted.
  size_t Grants(size_t tries) {
    size_t granted = 0;
    for (size_t i = 0; i < tries; ++i) granted += meter_.Take(limit_, now_) ? 1 : 0;
    return granted;
  }

  RateLimit limit_{.name = "", .per_s_max = 20, .burst_max = 60};
  Clock::time_point now_{std::chrono::hours(1)};
  RateMeter meter_;
};

TEST_F(RateTest, TheBurstIsGrantedAtOnceAndNotOneMore) {
  EXPECT_EQ(Grants(60), 60u);
  EXPECT_EQ(meter_.refused(), 0u);
  EXPECT_EQ(Grants(3), 0u);
  EXPECT_EQ(meter_.refused(), 3u);
}

TEST_F(RateTest, AfterTheBurstTheRateIsGranted) {
  Grants(60);
  now_ += milliseconds(49);
  EXPECT_EQ(Grants(1), 0u);
  now_ += milliseconds(1);
  EXPECT_EQ(Grants(2), 1u);
  now_ += milliseconds(1000);
  EXPECT_EQ(Grants(100), 20u);
}

TEST_F(RateTest, WhatIsNotUsedGathersUpToTheBurst) {
  Grants(60);
  now_ += std::chrono::hours(24);
  EXPECT_EQ(Grants(100), 60u);
}

TEST_F(RateTest, WhoKeepsToTheRateIsNeverRefused) {
  for (int i = 0; i < 10'000; ++i, now_ += milliseconds(50)) ASSERT_EQ(Grants(1), 1u);
}

TEST_F(RateTest, RefusalsAreCountedUntilTheBurstIsWholeAgain) {
  Grants(65);
  now_ += milliseconds(2'999);
  EXPECT_EQ(Grants(1), 1u);
  EXPECT_EQ(meter_.refused(), 5u) << "the burst was not whole";
  now_ += milliseconds(3'000);
  EXPECT_EQ(Grants(1), 1u);
  EXPECT_EQ(meter_.refused(), 0u);
}

TEST_F(RateTest, WithoutARateEverythingIsGranted) {
  limit_ = {};
  EXPECT_EQ(Grants(10'000), 10'000u);
}

TEST_F(RateTest, ABurstOfNoneIsOfOne) {
  limit_.burst_max = 0;
  EXPECT_EQ(Grants(2), 1u);
  now_ += milliseconds(50);
  EXPECT_EQ(Grants(2), 1u);
}

}  // namespace
}  // namespace sessioncast::engineio
