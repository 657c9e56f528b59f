// When a group is begun: at once, or where many publish once an interval.
#include "control/commit_queue.h"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "tests/control/faulty_store.h"
#include "tests/control/store_appends.h"

namespace sessioncast::control {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Remembers its groups.
class WatchedStore : public test::FaultyStore {
 public:
  struct Seen {
    size_t appends;
    steady_clock::time_point begun;
  };

  std::vector<AppendOutcome> Commit(absl::Span<const StoreAppendPtr> group) override {
    {
      absl::MutexLock lock(&mutex_);
      seen_.push_back({group.size(), steady_clock::now()});
      writer_ = std::this_thread::get_id();
    }
    return FaultyStore::Commit(group);
  }
  std::vector<Seen> seen() const {
    absl::MutexLock lock(&mutex_);
    return seen_;
  }
  std::thread::id writer() const {
    absl::MutexLock lock(&mutex_);
    return writer_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<Seen> seen_;
  std::thread::id writer_;
};

class CommitQueueTest : public testing::Test {
 protected:
  void Start(microseconds interval, size_t small_group_events_max = 64) {
    queue_ = std::make_unique<CommitQueue>(
        store_,
        CommitQueueOptions{.interval_us = interval.count(),
                           .small_group_events_max = small_group_events_max},
        StartThread);
  }
  // Of a session of its own.
  void Push() {
    const std::string session_id = "s" + std::to_string(++pushed_);
    queue_->Push(std::make_shared<StoreAppend>(test::Events(session_id, "e", 1, 1)),
                 [this](const AppendOutcome& outcome) {
                   EXPECT_TRUE(outcome.status.ok()) << outcome.status;
                   absl::MutexLock lock(&mutex_);
                   ++told_;
                   told_by_.insert(std::this_thread::get_id());
                 });
  }
  bool AllTold() {
    absl::MutexLock lock(&mutex_);
    const auto all = [this] { return told_ == pushed_; };
    return mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(30));
  }
  // So many in a group of their own: they are pushed while another one is held.
  void CommitGroupOf(int appends) {
    store_.Hold();
    Push();
    store_.WaitForAHeldCommit();
    for (int i = 0; i < appends; ++i) Push();
    let_go_ = steady_clock::now();
    store_.LetGo(test::Fault::kNone);
    ASSERT_TRUE(AllTold());
  }

  WatchedStore store_;
  absl::Mutex mutex_;
  int pushed_ = 0;
  int told_ = 0;
  std::set<std::thread::id> told_by_;
  steady_clock::time_point let_go_;  // before the group of many was begun
  std::unique_ptr<CommitQueue> queue_;  // ends first
};

TEST_F(CommitQueueTest, AGroupOfOneHoldsNothingUp) {
  Start(hours(1));
  for (int i = 0; i < 3; ++i) {
    Push();
    ASSERT_TRUE(AllTold());
  }
  EXPECT_EQ(store_.seen().size(), 3);
}

TEST_F(CommitQueueTest, BehindAGroupOfManyTheNextBeginsAnIntervalLaterWithAllThatCameMeanwhile) {
  constexpr milliseconds kInterval(300);
  Start(kInterval);
  CommitGroupOf(2);
  for (int i = 0; i < 5; ++i) Push();
  ASSERT_TRUE(AllTold());
  const std::vector<WatchedStore::Seen> seen = store_.seen();
  ASSERT_GE(seen.size(), 3);
  EXPECT_EQ(seen[1].appends, 2);
  EXPECT_GE(seen[2].begun - let_go_, kInterval);
}

TEST_F(CommitQueueTest, WhoWritesTellsTheOutcomesOfASmallGroupAndOfNoOther) {
  Start(microseconds(0));
  Push();
  ASSERT_TRUE(AllTold());
  EXPECT_EQ(told_by_, std::set<std::thread::id>{store_.writer()});
  told_by_.clear();
  Start(microseconds(0), 0);
  Push();
  ASSERT_TRUE(AllTold());
  EXPECT_EQ(told_by_.count(store_.writer()), 0u);
}

TEST_F(CommitQueueTest, WhoStopsDoesNotWaitForTheInterval) {
  Start(hours(1));
  CommitGroupOf(2);
  Push();
  queue_->Stop();
  EXPECT_TRUE(AllTold());
}

}  // namespace
}  // namespace sessioncast::control
