// What an event carries for the load tool to know it by.
#include "bench/load/stamp.h"

#include "gtest/gtest.h"

namespace sessioncast::bench {
namespace {

TEST(StampTest, IsFoundInAPacketAsItWasWritten) {
  const std::string text = StampedText({.time_ns = 123'456'789'012, .number = 42}, 250);
  EXPECT_EQ(text.size(), 250U);
  const std::optional<Stamp> stamp =
      FindStamp("42[\"model_result\",{\"result\":\"" + text + "\"}]");
  ASSERT_TRUE(stamp.has_value());
  EXPECT_EQ(stamp->time_ns, 123'456'789'012);
  EXPECT_EQ(stamp->number, 42U);
}

TEST(StampTest, ATextIsNeverShorterThanItsStamp) {
  const std::string text = StampedText({.time_ns = INT64_MAX, .number = UINT32_MAX}, 0);
  EXPECT_EQ(text.size(), kStampBytes);
  const std::optional<Stamp> stamp = FindStamp(text);
  ASSERT_TRUE(stamp.has_value());
  EXPECT_EQ(stamp->time_ns, INT64_MAX);
  EXPECT_EQ(stamp->number, UINT32_MAX);
}

TEST(StampTest, WhatIsCutOrNoNumberIsNone) {
  const std::string text = StampedText({.time_ns = 1, .number = 1}, kStampBytes);
  EXPECT_FALSE(FindStamp("").has_value());
  EXPECT_FALSE(FindStamp("2").has_value());
  EXPECT_FALSE(FindStamp(text.substr(0, kStampBytes - 1)).has_value());
  EXPECT_FALSE(FindStamp("stamp:0000000000000000000x:0000000001:").has_value());
}

TEST(StampTest, TheClockIsMonotonic) {
  const int64_t before = NowNs();
  EXPECT_GE(NowNs(), before);
}

}  // namespace
}  // namespace sessioncast::bench
