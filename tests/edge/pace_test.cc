// How much may be queued for a socket that is slow, and when it is slow no more.
#include "edge/pace.h"

#include "gtest/gtest.h"

namespace sessioncast::edge {
namespace {

using std::chrono::milliseconds;

constexpr size_t kLimit = 256 * 1024;
constexpr size_t kLeast = 1'024;

class PaceTest : public testing::Test {
 protected:
  // So many bytes were queued, and left within so long.
  void Leave(size_t bytes, milliseconds within) {
    EXPECT_TRUE(pace_.Queued(now_, bytes));
    now_ += within;
    pace_.Drained(now_);
  }

  Pace pace_{{.queue_bytes_max = kLimit, .slow_queue_bytes_min = kLeast}};
  Pace::Time now_;
};

TEST_F(PaceTest, ASocketIsQuickUntilItsQueueOverflows) {
  EXPECT_EQ(pace_.budget_bytes(), kLimit);
  EXPECT_FALSE(pace_.slow());
  EXPECT_FALSE(pace_.Queued(now_, 100));  // nobody need watch it drain
  pace_.Overflowed();
  EXPECT_EQ(pace_.budget_bytes(), kLeast);
  EXPECT_TRUE(pace_.slow());
}

// A client that takes 1 KB a second behind a kernel that takes three pages at once.
TEST_F(PaceTest, WhatTheKernelTakesAtOnceProvesNothing) {
  pace_.Overflowed();
  for (int round = 0; round < 100; ++round) {
    for (int page = 0; page < 3; ++page) Leave(kLeast, milliseconds(0));
    Leave(kLeast, milliseconds(2'000));
    EXPECT_EQ(pace_.budget_bytes(), kLeast);
  }
}

TEST_F(PaceTest, ManyBudgetsInARowThatDrainAtOnceDoubleIt) {
  pace_.Overflowed();
  for (size_t budget = kLeast; budget < kLimit; budget *= 2) {
    for (size_t i = 0; i < Pace::kProofBudgets; ++i) {
      EXPECT_EQ(pace_.budget_bytes(), budget);
      Leave(budget, Pace::kFast);
    }
  }
  EXPECT_EQ(pace_.budget_bytes(), kLimit);
  EXPECT_FALSE(pace_.slow());
}

TEST_F(PaceTest, OneThatDidNotDrainAtOnceBeginsTheProofAnew) {
  pace_.Overflowed();
  for (size_t i = 0; i < Pace::kProofBudgets - 1; ++i) Leave(kLeast, milliseconds(0));
  Leave(kLeast, Pace::kFast + milliseconds(1));
  for (size_t i = 0; i < Pace::kProofBudgets - 1; ++i) Leave(kLeast, milliseconds(0));
  EXPECT_EQ(pace_.budget_bytes(), kLeast);
  Leave(kLeast, milliseconds(0));
  EXPECT_EQ(pace_.budget_bytes(), 2 * kLeast);
}

TEST_F(PaceTest, ASlowDrainHalvesTheBudgetToTheLeast) {
  pace_.Overflowed();
  Leave(2 * Pace::kProofBudgets * kLeast, milliseconds(0));
  EXPECT_EQ(pace_.budget_bytes(), 2 * kLeast);
  Leave(kLeast, Pace::kSlow - milliseconds(1));
  EXPECT_EQ(pace_.budget_bytes(), 2 * kLeast);
  for (int i = 0; i < 3; ++i) Leave(kLeast, Pace::kSlow);
  EXPECT_EQ(pace_.budget_bytes(), kLeast);
}

}  // namespace
}  // namespace sessioncast::edge
