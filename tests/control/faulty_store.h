// A store in memory that can be held up, and fails when it is told to: for what a real disk does
// too seldom.
//
// Threads: any.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "control/memory_store.h"
#include "tests/control/store_appends.h"

namespace sessioncast::test {

// What a commit does while it is told to go wrong.
// kIsFull: what is left of the group shows when there is room again, and it is all of it.
enum class Fault { kNone, kLosesTheGroup, kStoresItButFails, kIsFull };

class FaultyStore : public control::MemoryStore {
 public:
  std::vector<control::AppendOutcome> Commit(
      absl::Span<const control::StoreAppendPtr> group) override {
    Fault fault = Fault::kNone;
    {
      absl::MutexLock lock(&mutex_);
      ++waiting_;
      mutex_.Await(absl::Condition(this, &FaultyStore::MayPass));
      --waiting_;
      fault = fault_;
    }
    appends_ += static_cast<int>(group.size());
    if (fault == Fault::kNone) return MemoryStore::Commit(group);
    if (fault == Fault::kStoresItButFails) MemoryStore::Commit(group);
    if (fault == Fault::kIsFull && !full_.exchange(true)) left_ = AsTheDiskHasIt(group);
    return std::vector<control::AppendOutcome>(group.size(),
                                               {absl::UnavailableError("told to fail"), {}});
  }

  absl::Status CheckWritable() const override {
    ++checks_;
    if (full_) return absl::ResourceExhaustedError("told to be full");
    return absl::OkStatus();
  }
  void MakeRoom() {
    MemoryStore::Commit(left_);
    Heal();
    full_ = false;
  }

  absl::Status Load(const std::string& session_id,
                    absl::FunctionRef<void(const control::StoredSession&)> session,
                    absl::FunctionRef<void(const control::StoredEventPtr&)> each) override {
    ++loads_;
    if (loads_fail_ || damaged_.count(session_id) > 0)
      return absl::UnavailableError("told to fail");
    return MemoryStore::Load(session_id, session, each);
  }

  absl::Status ReadRange(const control::StoreRange& range,
                         absl::FunctionRef<bool(const control::StoredEventPtr&)> each) override {
    {
      absl::MutexLock lock(&mutex_);
      ++reads_waiting_;
      mutex_.Await(absl::Condition(this, &FaultyStore::MayRead));
      --reads_waiting_;
    }
    return MemoryStore::ReadRange(range, each);
  }

  absl::StatusOr<std::vector<control::Deadline>> DueDeadlines(absl::Time until,
                                                              size_t deadlines_max) override {
    ++looks_for_deadlines_;
    return MemoryStore::DueDeadlines(until, deadlines_max);
  }

  uint64_t generation() const override { return generation_; }
  // As if the session had never been: its log came back short, and its epoch is another.
  void ComeBackWithout(const std::string& session_id) {
    auto removal = std::make_shared<control::StoreAppend>();
    removal->session_id = session_id;
    removal->removes_session = true;
    EXPECT_TRUE(MemoryStore::Load(
                    session_id,
                    [&](const control::StoredSession& session) {
                      removal->after = session.position;
                    },
                    [](const control::StoredEventPtr&) {})
                    .ok());
    ++generation_;
    EXPECT_TRUE(MemoryStore::Commit({removal})[0].status.ok());
  }

  void HoldReads() {
    absl::MutexLock lock(&mutex_);
    reads_held_ = true;
  }
  void WaitForAHeldRead() {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(this, &FaultyStore::HasWaitingRead),
                                        absl::Seconds(30)));
  }
  void LetReadsGo() {
    absl::MutexLock lock(&mutex_);
    reads_held_ = false;
  }

  void Hold() {
    absl::MutexLock lock(&mutex_);
    held_ = true;
  }
  void WaitForAHeldCommit() {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(this, &FaultyStore::HasWaiting),
                                        absl::Seconds(30)));
  }
  // Waits until a commit is held, then decides what becomes of it and of those behind it.
  void LetGo(Fault fault) {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(this, &FaultyStore::HasWaiting),
                                        absl::Seconds(30)));
    fault_ = fault;
    held_ = false;
  }
  void Heal() {
    absl::MutexLock lock(&mutex_);
    fault_ = Fault::kNone;
  }
  void FailLoads() { loads_fail_ = true; }
  void HealLoads() { loads_fail_ = false; }
  // Before it is used.
  void FailLoadsOf(const std::string& session_id) { damaged_.insert(session_id); }
  int loads() const { return loads_; }
  // How many were committed, or tried.
  int appends() const { return appends_; }
  int looks_for_deadlines() const { return looks_for_deadlines_; }
  // How often it was asked whether it takes appends.
  int checks() const { return checks_; }

 private:
  bool MayPass() const { return !held_; }
  bool HasWaiting() const { return waiting_ > 0; }
  bool MayRead() const { return !reads_held_; }
  bool HasWaitingRead() const { return reads_waiting_ > 0; }

  absl::Mutex mutex_;
  bool held_ = false;
  bool reads_held_ = false;
  int reads_waiting_ = 0;
  int waiting_ = 0;
  Fault fault_ = Fault::kNone;
  std::atomic<bool> full_{false};
  std::vector<control::StoreAppendPtr> left_;
  std::atomic<bool> loads_fail_{false};
  std::set<std::string> damaged_;
  std::atomic<int> loads_{0};
  std::atomic<int> appends_{0};
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> looks_for_deadlines_{0};
  mutable std::atomic<int> checks_{0};
};

}  // namespace sessioncast::test
