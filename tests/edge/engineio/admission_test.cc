#include "edge/engineio/admission.h"

#include <gtest/gtest.h>

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;

const Clock::time_point kBegin = Clock::time_point(std::chrono::hours(1));

TEST(AdmissionTest, ABurstIsAnsweredAtOnceAndWhatFollowsInTurn) {
  Admission admission(
      {.handshakes_per_s_max = 100, .wait_max = milliseconds(1'000), .burst = milliseconds(50)}, 1);
  for (int i = 0; i <= 5; ++i) EXPECT_EQ(admission.Admit(kBegin), kBegin) << i;
  for (int i = 1; i <= 100; ++i)
    EXPECT_EQ(admission.Admit(kBegin), kBegin + milliseconds(10) * i) << i;
}

TEST(AdmissionTest, WhatWouldWaitTooLongIsRefusedAndCostsNothing) {
  Admission admission(
      {.handshakes_per_s_max = 100, .wait_max = milliseconds(20), .burst = milliseconds(0)}, 1);
  for (int i = 0; i <= 2; ++i) EXPECT_TRUE(admission.Admit(kBegin).has_value()) << i;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(admission.Admit(kBegin).has_value()) << i;
  EXPECT_EQ(admission.Admit(kBegin + milliseconds(10)), kBegin + milliseconds(30));
}

TEST(AdmissionTest, WhatWasNotUsedLongAgoIsGone) {
  Admission admission(
      {.handshakes_per_s_max = 100, .wait_max = milliseconds(1'000), .burst = milliseconds(20)}, 1);
  const Clock::time_point later = kBegin + std::chrono::hours(1);
  admission.Admit(kBegin);
  for (int i = 0; i <= 2; ++i) EXPECT_EQ(admission.Admit(later), later) << i;
  EXPECT_EQ(admission.Admit(later), later + milliseconds(10));
}

TEST(AdmissionTest, EachIoThreadHasItsPart) {
  Admission admission(
      {.handshakes_per_s_max = 100, .wait_max = milliseconds(1'000), .burst = milliseconds(0)}, 4);
  admission.Admit(kBegin);
  EXPECT_EQ(admission.Admit(kBegin), kBegin + milliseconds(40));
}

}  // namespace
}  // namespace sessioncast::engineio
