// The broker over a store that fails when it is told to: what the tests of the broker share.
//
// Threads: one test's; a Reader is woken by the broker's.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "control/broker.h"
#include "tests/control/events.h"
#include "tests/control/faulty_store.h"

namespace sessioncast::test {

using control::Broker;
using control::BrokerOptions;
using control::LivePage;
using control::Published;
using control::ReadPage;
using control::StoredEventPtr;

inline constexpr absl::Duration kDeadline = absl::Seconds(30);

template <typename T>
class Result {
 public:
  Broker::Done<T> Done() {
    return
        [promise = promise_](absl::StatusOr<T> result) { promise->set_value(std::move(result)); };
  }
  absl::StatusOr<T> Get() {
    if (future_.wait_for(absl::ToChronoSeconds(kDeadline)) != std::future_status::ready) {
      return absl::DeadlineExceededError("no answer in the test's time");
    }
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<absl::StatusOr<T>>> promise_ =
      std::make_shared<std::promise<absl::StatusOr<T>>>();
  std::future<absl::StatusOr<T>> future_ = promise_->get_future();
};

class BrokerTest : public testing::Test {
 protected:
  BrokerTest() { Restart(); }

  void Restart() {
    broker_.reset();
    broker_ = std::make_unique<Broker>(store_, options_);
  }

  absl::StatusOr<Published> Publish(v1::Event event, const std::string& key = "") {
    Result<Published> result;
    broker_->Publish(std::move(event), key, result.Done());
    return result.Get();
  }

  // The store becomes full with this event, whose outcome is unknown.
  void FillTheStoreWith(v1::Event event, const std::string& key = "") {
    store_.Hold();
    Result<Published> hit;
    broker_->Publish(std::move(event), key, hit.Done());
    store_.LetGo(Fault::kIsFull);
    EXPECT_TRUE(absl::IsUnavailable(hit.Get().status()));
  }

  absl::StatusOr<ReadPage> Read(const std::string& session_id, const v1::Position& after,
                                control::PageLimits limits = {}) {
    Result<ReadPage> result;
    broker_->Read({session_id, after, limits}, result.Done());
    return result.Get();
  }

  absl::StatusOr<Published> End(const std::string& clarification_id,
                                v1::ClarificationStatus status) {
    Result<Published> result;
    broker_->EndClarification({"s1", clarification_id, status, "x"}, result.Done());
    return result.Get();
  }

  absl::StatusOr<control::SnapshotView> Snapshot(const std::string& session_id) {
    Result<control::SnapshotView> result;
    broker_->GetSnapshot(session_id, result.Done());
    return result.Get();
  }

  BrokerOptions options_;
  FaultyStore store_;
  std::unique_ptr<Broker> broker_;
};

// A live reader that remembers what it saw.
class Reader {
 public:
  Reader(Broker& broker, const std::string& session_id)
      : subscription_(broker.Subscribe(session_id, [state = state_] {
          absl::MutexLock lock(&state->mutex);
          state->woken = true;
        })) {
    Look();
  }

  // Until the last sequence it saw, or was announced, is `sequence`.
  void WaitFor(uint64_t sequence) {
    const absl::Time until = absl::Now() + kDeadline;
    while (last != sequence) {
      {
        absl::MutexLock lock(&state_->mutex);
        ASSERT_TRUE(state_->mutex.AwaitWithDeadline(absl::Condition(&state_->woken), until))
            << "at " << last;
        state_->woken = false;
      }
      Look();
    }
  }

  uint64_t last = 0;
  int announcements = 0;
  std::vector<uint64_t> seen;

 private:
  struct State {
    absl::Mutex mutex;
    bool woken = false;
  };

  void Look() {
    while (true) {
      const LivePage page = subscription_->Next(100'000);
      if (page.announced.has_value()) {
        ++announcements;
        last = page.announced->sequence();
      }
      for (const StoredEventPtr& event : page.events) {
        seen.push_back(event->sequence);
        last = event->sequence;
      }
      if (!page.announced.has_value() && page.events.empty()) return;
    }
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<Broker::Subscription> subscription_;
};

inline std::vector<uint64_t> SequencesOf(const ReadPage& page) {
  std::vector<uint64_t> sequences;
  for (const StoredEventPtr& event : page.events) sequences.push_back(event->sequence);
  return sequences;
}

using Sequences = std::vector<uint64_t>;

}  // namespace sessioncast::test
