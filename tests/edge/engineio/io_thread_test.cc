#include "edge/engineio/io_thread.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;

// Runs `task` on the thread and waits for it.
void RunOn(IoThread& thread, std::function<void()> task) {
  std::promise<void> done;
  thread.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(IoThreadTest, TasksOfOneCallerRunInTheirOrder) {
  IoThread thread(0);
  thread.Start();
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) thread.Post([&order, i] { order.push_back(i); });
  RunOn(thread, [&] { EXPECT_TRUE(thread.IsCurrent()); });
  EXPECT_FALSE(thread.IsCurrent());
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(IoThreadTest, TimersRunInOrderOfTimeAndNotBeforeIt) {
  IoThread thread(0);
  thread.Start();
  std::vector<Timer> timers;
  std::vector<Clock::time_point> ran;
  std::promise<void> all;
  const Clock::time_point begin = Clock::now() + milliseconds(20);
  std::mt19937 random(7);
  RunOn(thread, [&] {
    for (int i = 0; i < 500; ++i) {
      const Clock::time_point when = begin + milliseconds(random() % 50);
      timers.push_back(thread.At(when, [&, when] {
        EXPECT_GE(Clock::now(), when);
        ran.push_back(when);
        if (ran.size() == 500) all.set_value();
      }));
    }
  });
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
  RunOn(thread, [&] { timers.clear(); });
}

TEST(IoThreadTest, ATimerThatGoesOrIsCancelledDoesNotRun) {
  IoThread thread(0);
  thread.Start();
  std::atomic<int> ran = 0;
  std::promise<void> last;
  Timer kept;
  RunOn(thread, [&] {
    std::vector<Timer> timers;
    for (int i = 0; i < 100; ++i) {
      timers.push_back(thread.After(milliseconds(i % 7), [&ran] { ++ran; }));
    }
    for (int i = 0; i < 100; i += 2) timers[i].Cancel();
    EXPECT_FALSE(timers[0].pending());
    EXPECT_TRUE(timers[1].pending());
    kept = thread.After(milliseconds(30), [&last] { last.set_value(); });
  });
  last.get_future().wait();
  EXPECT_EQ(ran, 0);
  RunOn(thread, [&] { EXPECT_FALSE(kept.pending()); });
}

TEST(IoThreadTest, ATimerMayOutliveItsThread) {
  Timer timer;
  {
    IoThread thread(0);
    timer = thread.After(std::chrono::hours(1), [] {});
    thread.Start();
  }
  EXPECT_FALSE(timer.pending());
}

TEST(IoThreadTest, TasksNotYetRunAreDroppedAtTheEnd) {
  auto held = std::make_shared<int>(1);
  {
    IoThread thread(0);
    thread.Post([held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace sessioncast::engineio
