#include "bench/load/answer_tally.h"

#include "gtest/gtest.h"

namespace sessioncast::bench {
namespace {

constexpr int64_t kBegin = 1'000;
constexpr int64_t kEnd = 2'000;

TEST(AnswerTallyTest, WhatIsRefusedForWantOfRoomIsApartFromWhatFails) {
  AnswerTally tally(kBegin, kEnd);
  tally.OnOutcome({.events = 10, .failed = 5, .refused = 3, .hinted = 2, .sent_ns = 1'100}, 1'200);
  EXPECT_EQ(tally.acknowledged, 5U);
  EXPECT_EQ(tally.refused, 3U);
  EXPECT_EQ(tally.hinted, 2U);
  EXPECT_EQ(tally.failed, 2U);
}

TEST(AnswerTallyTest, ARefusalDoesNotMakeAcknowledgementsLookFast) {
  AnswerTally tally(kBegin, kEnd);
  tally.OnOutcome({.events = 1, .sent_ns = 1'000}, 1'100);
  tally.OnOutcome({.events = 1, .failed = 1, .refused = 1, .sent_ns = 1'000}, 1'007);
  tally.OnOutcome({.events = 1, .failed = 1, .sent_ns = 1'000}, 1'900);
  EXPECT_EQ(tally.acknowledged_ns.count(), 1U);
  EXPECT_EQ(tally.acknowledged_ns.max(), 100);
  EXPECT_EQ(tally.refused_ns.count(), 1U);
  EXPECT_EQ(tally.refused_ns.max(), 7);
}

TEST(AnswerTallyTest, OnlyWhatHappensWithinTheWindowCounts) {
  AnswerTally tally(kBegin, kEnd);
  for (const int64_t now_ns : {kBegin - 1, kBegin, kEnd - 1, kEnd}) {
    tally.OnSent(1, now_ns - 7, now_ns);
    tally.OnOutcome({.events = 1, .sent_ns = 500}, now_ns);
  }
  EXPECT_EQ(tally.offered, 2U);
  EXPECT_EQ(tally.late_ns.count(), 2U);
  EXPECT_EQ(tally.late_ns.max(), 7);
  EXPECT_EQ(tally.acknowledged, 2U);
}

}  // namespace
}  // namespace sessioncast::bench
