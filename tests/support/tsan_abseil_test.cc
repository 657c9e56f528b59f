// Of tsan_abseil.cc, in the preset `tsan` only: what Abseil's locks order is no race, what they do not order is one.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sessioncast {
namespace {

// In a process of its own, which ThreadSanitizer ends with 66 if it has reported anything.
void InTwoThreads(const std::function<void()>& first, const std::function<void()>& second) {
  std::thread one(first);
  std::thread two(second);
  one.join();
  two.join();
  std::exit(0);
}

const auto kNoRace = testing::ExitedWithCode(0);
const auto kRace = testing::ExitedWithCode(66);

class TsanAbseilTest : public testing::Test {
 protected:
  TsanAbseilTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  absl::Duration Long() const { return absl::Seconds(30); }
  absl::Time Late() const { return absl::Now() + Long(); }

  absl::Mutex mutex_;
  absl::Mutex other_mutex_;
  absl::CondVar changed_;
  absl::Notification notified_;
  int count_ = 0;
  bool done_ = false;
};
using TsanAbseilDeathTest = TsanAbseilTest;

TEST_F(TsanAbseilDeathTest, WhatAMutexGuardsIsNoRace) {
  const auto add = [this] {
    for (int i = 0; i < 1000; ++i) {
      absl::MutexLock lock(&mutex_);
      ++count_;
    }
  };
  EXPECT_EXIT(InTwoThreads(add, add), kNoRace, "");
}

TEST_F(TsanAbseilDeathTest, WhatIsBesideTheMutexIsARace) {
  const auto add = [this] {
    { absl::MutexLock lock(&mutex_); }
    ++count_;
  };
  EXPECT_EXIT(InTwoThreads(add, add), kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, AnotherMutexOrdersNothing) {
  const auto add = [this](absl::Mutex& mutex) {
    absl::MutexLock lock(&mutex);
    ++count_;
  };
  EXPECT_EXIT(InTwoThreads([&] { add(mutex_); }, [&] { add(other_mutex_); }), kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, WritersAndReadersOfOneMutexAreOrdered) {
  const auto write = [this] {
    absl::WriterMutexLock lock(&mutex_);
    ++count_;
  };
  const auto read = [this] {
    absl::ReaderMutexLock lock(&mutex_);
    EXPECT_LE(count_, 1);
  };
  EXPECT_EXIT(InTwoThreads(write, read), kNoRace, "");
}

TEST_F(TsanAbseilDeathTest, AWriteUnderALockForReadingIsARace) {
  const auto write = [this] {
    absl::ReaderMutexLock lock(&mutex_);
    ++count_;
  };
  EXPECT_EXIT(InTwoThreads(write, write), kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, ALockThatWasTriedOrdersOnlyIfItWasTaken) {
  const auto taken = [this] {
    while (!mutex_.TryLock()) std::this_thread::yield();
    ++count_;
    mutex_.Unlock();
  };
  EXPECT_EXIT(InTwoThreads(taken, taken), kNoRace, "");
  const auto not_taken = [this] {
    EXPECT_FALSE(mutex_.TryLock());
    ++count_;
  };
  EXPECT_EXIT(
      {
        mutex_.Lock();
        InTwoThreads(not_taken, not_taken);
      },
      kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, WhoWaitsForAConditionSeesWhatWasDoneBeforeIt) {
  const auto finish = [this] {
    ++count_;
    absl::MutexLock lock(&mutex_);
    done_ = true;
  };
  const auto awaiting = [&](std::function<void()> await) {
    return [this, await = std::move(await)] {
      await();
      ++count_;
      mutex_.Unlock();
    };
  };
  const absl::Condition done(
      +[](bool* done) { return *done; }, &done_);
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { mutex_.LockWhen(done); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { mutex_.LockWhenWithTimeout(done, Long()); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { mutex_.LockWhenWithDeadline(done, Late()); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { mutex_.Lock(), mutex_.Await(done); })), kNoRace, "");
  EXPECT_EXIT(
      InTwoThreads(finish, awaiting([&] { mutex_.Lock(), mutex_.AwaitWithTimeout(done, Long()); })), kNoRace, "");
  EXPECT_EXIT(
      InTwoThreads(finish, awaiting([&] { mutex_.Lock(), mutex_.AwaitWithDeadline(done, Late()); })), kNoRace, "");
}

TEST_F(TsanAbseilDeathTest, AConditionThatWaitsInLineForTheMutexIsReadByWhoUnlocks) {
  std::atomic<bool> ended = false;
  const auto come = [&] {
    while (!ended.load(std::memory_order_relaxed)) {
      absl::MutexLock lock(
          &mutex_, absl::Condition(+[](int* count) { return *count >= 0; }, &count_));
    }
  };
  const auto turn = [] {
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
  };
  const auto hold = [&] {
    for (int i = 0; i < 100; ++i) {
      {
        absl::MutexLock lock(&mutex_);
        ++count_;
        turn();
      }
      turn();
    }
    ended.store(true, std::memory_order_relaxed);
  };
  EXPECT_EXIT(InTwoThreads(come, hold), kNoRace, "");
}

// Abseil evaluates it in whichever thread unlocks: there it counts as read under the mutex, and no more than that.
TEST_F(TsanAbseilDeathTest, AConditionThatReadsWhatIsNotGuardedIsARace) {
  const absl::Condition counted(
      +[](int* count) { return *count > 0; }, &count_);
  const auto await = [&] {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(counted, absl::Milliseconds(1));
  };
  EXPECT_EXIT(InTwoThreads([&] { ++count_; }, await), kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, WhoWaitsForAVariableSeesWhatWasDoneBeforeItsSignal) {
  const auto finish = [this] {
    ++count_;
    absl::MutexLock lock(&mutex_);
    done_ = true;
    changed_.Signal();
  };
  const auto awaiting = [&](std::function<void()> wait) {
    return [this, wait = std::move(wait)] {
      {
        absl::MutexLock lock(&mutex_);
        while (!done_) wait();
      }
      ++count_;
    };
  };
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { changed_.Wait(&mutex_); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { changed_.WaitWithTimeout(&mutex_, Long()); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(finish, awaiting([&] { changed_.WaitWithDeadline(&mutex_, Late()); })), kNoRace, "");
}

TEST_F(TsanAbseilDeathTest, AVariableThatNobodySignalsOrdersNothing) {
  const auto wait = [this] {
    {
      absl::MutexLock lock(&mutex_);
      changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(1));
    }
    ++count_;
  };
  EXPECT_EXIT(InTwoThreads([&] { ++count_; }, wait), kRace, "data race");
}

TEST_F(TsanAbseilDeathTest, WhoSeesANotificationSeesWhatWasDoneBeforeIt) {
  const auto notify = [this] {
    ++count_;
    notified_.Notify();
  };
  const auto seeing = [&](std::function<void()> see) {
    return [this, see = std::move(see)] {
      see();
      ++count_;
    };
  };
  EXPECT_EXIT(InTwoThreads(notify, seeing([&] { notified_.WaitForNotification(); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(notify, seeing([&] { notified_.WaitForNotificationWithTimeout(Long()); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(notify, seeing([&] { notified_.WaitForNotificationWithDeadline(Late()); })), kNoRace, "");
  EXPECT_EXIT(InTwoThreads(notify, seeing([&] { while (!notified_.HasBeenNotified()) std::this_thread::yield(); })),
              kNoRace, "");
}

TEST_F(TsanAbseilDeathTest, ANotificationThatIsNotYetGivenOrdersNothing) {
  const auto look = [this] {
    notified_.WaitForNotificationWithTimeout(absl::ZeroDuration());
    ++count_;
  };
  EXPECT_EXIT(InTwoThreads([&] { ++count_; }, look), kRace, "data race");
}

}  // namespace
}  // namespace sessioncast
