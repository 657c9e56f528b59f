// The clock that is not set, and the alarm that waits by it.
#include "control/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace sessioncast::test {
namespace {

using control::Alarm;
using control::SteadyWallClock;

TEST(ClockTest, TheWallClockCountsOnlyAtTheBeginning) {
  const absl::Time wall = absl::FromUnixSeconds(1'000'000);
  const SteadyWallClock clock(wall);
  const absl::Time first = clock();
  EXPECT_GE(first, wall);
  EXPECT_LT(first, wall + absl::Hours(1));
  EXPECT_GE(clock(), first);
}

TEST(ClockTest, ACopyOfAClockGoesOnWithIt) {
  const SteadyWallClock clock(absl::FromUnixSeconds(1'000'000));
  const SteadyWallClock copy = clock;
  const absl::Time before = clock();
  EXPECT_GE(copy(), before);
}

TEST(AlarmTest, WhatRangBeforeEndsTheNextWaitAndOnlyThat) {
  Alarm alarm;
  alarm.Ring();
  alarm.Wait(absl::Hours(24));  // returns, or the test runs out of time
  const auto begin = std::chrono::steady_clock::now();
  alarm.Wait(absl::Milliseconds(5));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(5));
}

TEST(AlarmTest, ARingEndsAWaitUnderWay) {
  Alarm alarm;
  std::thread waiter([&alarm] { alarm.Wait(absl::Hours(24)); });
  alarm.Ring();
  waiter.join();
}

}  // namespace
}  // namespace sessioncast::test
