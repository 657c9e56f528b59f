// When a stream writes: at once after a pause, else once an interval.
#include "control/write_pacer.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace sessioncast::control {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(WritePacerTest, WhoIsToBeCalledIsCalledOnceWhenItIsTime) {
  WritePacer pacer(milliseconds(20));
  absl::Notification called;
  const auto when = steady_clock::now() + milliseconds(20);
  steady_clock::time_point at;
  pacer.Call(when, [&] {
    at = steady_clock::now();
    called.Notify();  // ends the process if it is called again
  });
  called.WaitForNotification();
  EXPECT_GE(at, when);
}

TEST(WritePacerTest, ManyAreCalledInTheOrderInWhichTheyCame) {
  WritePacer pacer(milliseconds(1));
  absl::Mutex mutex;
  std::vector<int> called;
  for (int i = 0; i < 100; ++i) {
    pacer.Call(steady_clock::now() + milliseconds(1), [&, i] {
      absl::MutexLock lock(&mutex);
      called.push_back(i);
    });
  }
  absl::MutexLock lock(&mutex);
  mutex.Await(absl::Condition(
      +[](std::vector<int>* all) { return all->size() == 100; }, &called));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(called[i], i);
}

TEST(WritePacerTest, WhoWaitsWhenItGoesIsNotCalled) {
  std::atomic<bool> called = false;
  {
    WritePacer pacer(std::chrono::duration_cast<std::chrono::microseconds>(hours(1)));
    pacer.Call(steady_clock::now() + hours(1), [&] { called = true; });
  }
  EXPECT_FALSE(called);
}

TEST(WritePaceTest, TheFirstWriteIsAtOnceAndTheNextIsDueOnceAfterAnInterval) {
  WritePacer pacer(milliseconds(20));
  WritePace pace(pacer);
  absl::Notification due;
  const auto begin = steady_clock::now();
  EXPECT_TRUE(pace.MayWrite([] { FAIL(); }));
  EXPECT_FALSE(pace.MayWrite([&] { due.Notify(); }));
  EXPECT_FALSE(pace.MayWrite([] { FAIL(); }));
  due.WaitForNotification();
  EXPECT_GE(steady_clock::now(), begin + milliseconds(20));
  pace.Due();
  EXPECT_TRUE(pace.MayWrite([] { FAIL(); }));
}

TEST(WriteCorkTest, WhoWouldWriteOnItsThreadIsCalledOnceAtItsEnd) {
  WritePacer pacer(milliseconds(20));
  WritePace pace(pacer);
  WritePace of_another(pacer);
  std::vector<std::string> calls;
  {
    const WriteCork cork;
    EXPECT_FALSE(pace.MayWrite([&] { calls.push_back("one"); }));
    EXPECT_FALSE(pace.MayWrite([] { FAIL(); }));
    EXPECT_FALSE(of_another.MayWrite([&] { calls.push_back("another"); }));
    EXPECT_TRUE(calls.empty());
    std::thread([&pacer] {
      WritePace elsewhere(pacer);
      EXPECT_TRUE(elsewhere.MayWrite([] { FAIL(); }));
    }).join();
  }
  EXPECT_EQ(calls, (std::vector<std::string>{"one", "another"}));
  pace.Due();
  EXPECT_TRUE(pace.MayWrite([] { FAIL(); }));
}

}  // namespace
}  // namespace sessioncast::control
