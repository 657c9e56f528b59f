// The broker over a real store, and over one that fails when it is told to.
#include "control/broker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/error_detail.h"
#include "tests/control/broker_fixture.h"

namespace sessioncast::test {
namespace {

TEST_F(BrokerTest, NothingIsSeenOrAnsweredBeforeItIsDurable) {
  store_.Hold();
  Result<Published> first;
  Result<Published> duplicate;
  broker_->Publish(CustomEvent("s1", "a"), "k", first.Done());
  broker_->Publish(CustomEvent("s1", "a"), "k", duplicate.Done());
  const auto held = Read("s1", {});
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(held->events.empty());
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(first.Get()->position.sequence(), 1u);
  EXPECT_TRUE(duplicate.Get()->duplicate);
  EXPECT_EQ(SequencesOf(*Read("s1", {})), (Sequences{1}));
}

TEST_F(BrokerTest, AFailedGroupIsUnknownAndSoIsAllThatRestsOnIt) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "before")).ok());
  store_.Hold();
  Result<Published> lost;
  Result<Published> duplicate;
  Result<Published> end;
  Result<Published> late;
  broker_->Publish(CustomEvent("s1", "a"), "k", lost.Done());
  broker_->Publish(CustomEvent("s1", "a"), "k", duplicate.Done());
  broker_->Publish(CompletedEvent("s1"), "", end.Done());
  broker_->Publish(CustomEvent("s1", "late"), "", late.Done());
  store_.LetGo(Fault::kLosesTheGroup);
  for (Result<Published>* result : {&lost, &duplicate, &end, &late}) {
    EXPECT_TRUE(absl::IsUnavailable(result->Get().status()));
  }
  store_.Heal();
  const auto again = Publish(CustomEvent("s1", "a"), "k");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->position.sequence(), 2u);
  EXPECT_FALSE(again->duplicate);
}

TEST_F(BrokerTest, AGroupThatWasStoredButFailedIsFoundWhenItIsPublishedAgain) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "before")).ok());
  store_.Hold();
  Result<Published> unknown;
  broker_->Publish(CustomEvent("s1", "a"), "k", unknown.Done());
  store_.LetGo(Fault::kStoresItButFails);
  EXPECT_TRUE(absl::IsUnavailable(unknown.Get().status()));
  store_.Heal();
  const auto again = Publish(CustomEvent("s1", "a"), "k");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->position.sequence(), 2u);
}

TEST_F(BrokerTest, ALiveReaderGoesOnAcrossAFailedGroup) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "a")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(1);
  store_.Hold();
  Result<Published> lost;
  broker_->Publish(CustomEvent("s1", "b"), "", lost.Done());
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_FALSE(lost.Get().ok());
  store_.Heal();
  ASSERT_TRUE(Publish(CustomEvent("s1", "c")).ok());
  ASSERT_TRUE(Publish(CustomEvent("s1", "d")).ok());
  reader.WaitFor(3);
}

TEST_F(BrokerTest, AFullStoreRefusesAtTheDoorReadsOnAndShowsWhatItWasLeftWith) {
  options_.deadlines.retry_ms = 10;
  Restart();
  ASSERT_TRUE(Publish(CustomEvent("s1", "a")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(1);
  FillTheStoreWith(CustomEvent("s1", "b"), "k");
  for (const std::string session : {"s1", "s2"}) {
    EXPECT_TRUE(absl::IsResourceExhausted(Publish(CustomEvent(session, "c")).status()));
  }
  const auto snapshot = Snapshot("s1");
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->summary.position().sequence(), 1u);
  store_.MakeRoom();
  reader.WaitFor(2);
  const auto again = Publish(CustomEvent("s1", "b"), "k");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
}

// Found by the simulation: what is to be looked at again was forgotten with the session's memory.
TEST_F(BrokerTest, WhatAFullStoreWasLeftWithShowsInASessionThatCameBackToMemoryBeforeIt) {
  options_.deadlines.retry_ms = 10;
  Restart();
  FillTheStoreWith(CustomEvent("s1", "a"), "k");
  // It has no events, so it is in memory only while somebody asks.
  EXPECT_TRUE(absl::IsNotFound(Snapshot("s1").status()));
  const absl::Time until = absl::Now() + kDeadline;
  for (const int checks = store_.checks(); store_.checks() < checks + 2; std::this_thread::yield())
    ASSERT_LT(absl::Now(), until) << "nobody looks again";
  Reader reader(*broker_, "s1");
  EXPECT_TRUE(absl::IsNotFound(Snapshot("s1").status()));
  store_.MakeRoom();
  reader.WaitFor(1);
}

TEST_F(BrokerTest, NothingIsAnsweredFromBeforeTheLogsCameBackShort) {
  const auto first = Publish(CustomEvent("s1", "a"), "k");
  ASSERT_TRUE(first.ok()) << first.status();
  store_.ComeBackWithout("s1");
  EXPECT_TRUE(absl::IsNotFound(Snapshot("s1").status()));
  const auto again = Publish(CustomEvent("s1", "a"), "k");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->duplicate);
  EXPECT_NE(again->position.epoch(), first->position.epoch());
}

TEST_F(BrokerTest, WhoComesWhenNothingCanBeLoadedAnewIsRefused) {
  options_.worker_pool = {.threads = 1, .jobs_max = 1};
  options_.history.window_events_max = 1;
  Restart();
  ASSERT_TRUE(Publish(CustomEvent("s1", "a")).ok());
  ASSERT_TRUE(Publish(CustomEvent("s2", "a")).ok());
  ASSERT_TRUE(Publish(CustomEvent("s2", "b")).ok());
  store_.HoldReads();
  Result<ReadPage> cold;
  broker_->Read({"s2", {}, {}}, cold.Done());
  store_.WaitForAHeldRead();
  Result<ReadPage> waiting;
  broker_->Read({"s2", {}, {}}, waiting.Done());
  store_.ComeBackWithout("s1");
  EXPECT_TRUE(absl::IsResourceExhausted(Snapshot("s1").status()));
  store_.LetReadsGo();
  EXPECT_TRUE(cold.Get().ok());
  EXPECT_TRUE(waiting.Get().ok());
}

TEST_F(BrokerTest, WhenTheLogsCameBackShortReadersAreTold) {
  options_.deadlines.retry_ms = 10;
  Restart();
  ASSERT_TRUE(Publish(CustomEvent("s1", "a")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(1);
  FillTheStoreWith(CustomEvent("s2", "b"));
  store_.ComeBackWithout("s1");
  store_.MakeRoom();
  reader.WaitFor(0);
}

TEST_F(BrokerTest, PublishersOfOneSessionGetDensePositionsFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kEvents = 200;
  ASSERT_TRUE(Publish(CustomEvent("s1", "the first")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int n = 0; n < kEvents; ++n) {
        EXPECT_TRUE(
            Publish(CustomEvent("s1", "x"), std::to_string(t) + ":" + std::to_string(n)).ok());
      }
    });
  }
  reader.WaitFor(1 + kThreads * kEvents);
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < reader.seen.size(); ++i) ASSERT_EQ(reader.seen[i], i + 2);
}

TEST_F(BrokerTest, LateSubscriberGetsHistoryThenLiveEventsWithoutGap) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "a")).ok());
  ASSERT_TRUE(Publish(CustomEvent("s1", "b")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(2);
  EXPECT_EQ(SequencesOf(*Read("s1", {})), (Sequences{1, 2}));
  ASSERT_TRUE(Publish(CustomEvent("s1", "c")).ok());
  reader.WaitFor(3);
  EXPECT_EQ(reader.seen, (Sequences{3}));
}

TEST_F(BrokerTest, WhatLeftMemoryIsReadFromTheStore) {
  options_.history.window_events_max = 5;
  Restart();
  for (int n = 0; n < 20; ++n) ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  const auto page = Read("s1", {});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->events.size(), 20u);
  EXPECT_EQ(page->through, 20u);
  EXPECT_EQ(SequencesOf(*Read("s1", PositionAt(page->top.epoch(), 18))), (Sequences{19, 20}));
}

TEST_F(BrokerTest, AColdPageIsConflatedToo) {
  options_.history.window_events_max = 1;
  Restart();
  for (int n = 0; n < 20; ++n) ASSERT_TRUE(Publish(ProgressEvent("s1", n)).ok());
  const auto page = Read("s1", {}, {.reading = control::Reading::kConflated});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(SequencesOf(*page), (Sequences{20}));
}

TEST_F(BrokerTest, AReaderThatFellOutOfMemoryIsAnnouncedAnew) {
  options_.history.window_events_max = 2;
  Restart();
  ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  const auto subscription = broker_->Subscribe("s1", [] {});
  ASSERT_TRUE(subscription->Next(1'000).announced.has_value());
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  const LivePage again = subscription->Next(1'000);
  ASSERT_TRUE(again.announced.has_value());
  EXPECT_EQ(again.announced->sequence(), 6u);
}

TEST_F(BrokerTest, IdleSessionsLeaveMemoryAndComeBackWhole) {
  options_.histories_bytes_max = 20'000;
  options_.shards = 1;
  Restart();
  for (int n = 0; n < 50; ++n) {
    ASSERT_TRUE(Publish(CustomEvent("s" + std::to_string(n), std::string(500, 'x')), "k").ok());
  }
  const int loads = store_.loads();
  const auto again = Publish(CustomEvent("s0", std::string(500, 'x')), "k");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(store_.loads(), loads + 1);
}

TEST_F(BrokerTest, AllShardsTogetherHoldTheBudgetOfHistories) {
  options_.histories_bytes_max = 300'000;
  std::atomic<int64_t> now{0};
  options_.clock = [&now] { return absl::FromUnixSeconds(now); };
  Restart();
  const auto holds = [this] {
    const absl::Time until = absl::Now() + kDeadline;
    while (broker_->histories_bytes() > options_.histories_bytes_max && absl::Now() < until)
      std::this_thread::yield();
    return broker_->histories_bytes() <= options_.histories_bytes_max;
  };
  const std::string text(10'000, 'x');
  for (int n = 0; n < 200; ++n) {
    ASSERT_TRUE(Publish(CustomEvent("s" + std::to_string(n), text)).ok());
    ASSERT_TRUE(holds()) << broker_->histories_bytes();
  }
  EXPECT_GT(broker_->histories_bytes(), options_.histories_bytes_max / 2);  // and no more left
  const int loads = store_.loads();
  for (int n = 0; n < 200; ++n) {
    now += 60;  // nobody has used those before it for a while
    EXPECT_EQ(Read("s" + std::to_string(n), {})->events.size(), 1u);
    ASSERT_TRUE(holds()) << broker_->histories_bytes();
  }
  EXPECT_GT(store_.loads(), loads + 150);
}

TEST_F(BrokerTest, SessionsThatManyPublishIntoGiveTheirRecentEventsAndAreNotLoadedAgain) {
  constexpr int kSessionsUsed = 50;
  options_.histories_bytes_max = 300'000;
  options_.clock = [] { return absl::UnixEpoch(); };  // all were used just now
  Restart();
  const std::string text(1'000, 'x');
  for (int round = 0; round < 20; ++round) {
    for (int n = 0; n < kSessionsUsed; ++n)
      ASSERT_TRUE(Publish(CustomEvent("s" + std::to_string(n), text)).ok());
  }
  EXPECT_EQ(store_.loads(), kSessionsUsed);
  EXPECT_LE(broker_->histories_bytes(), options_.histories_bytes_max);
  EXPECT_EQ(Read("s0", {})->events.size(), 20u);
}

TEST_F(BrokerTest, SessionsInUseGiveTheirRecentEventsAndLeaveOnceTheyAreNotInUse) {
  options_.histories_bytes_max = 300'000;
  Restart();
  const std::string text(10'000, 'x');
  std::vector<std::unique_ptr<Broker::Subscription>> subscriptions;
  for (int n = 0; n < 400; ++n) {
    subscriptions.push_back(broker_->Subscribe("s" + std::to_string(n), [] {}));
    ASSERT_TRUE(Publish(CustomEvent("s" + std::to_string(n), text)).ok());
  }
  // Their overhead alone is over it; their events are not held.
  EXPECT_LT(broker_->histories_bytes(), 400 * text.size() / 2);
  EXPECT_EQ(Read("s0", {})->events.size(), 1u);
  subscriptions.clear();
  EXPECT_LE(broker_->histories_bytes(), options_.histories_bytes_max);
}

TEST_F(BrokerTest, ASubscribedSessionThatCannotBeLoadedIsTriedAgain) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  options_.deadlines.retry_ms = 5;
  Restart();
  store_.FailLoads();
  Reader reader(*broker_, "s1");
  EXPECT_TRUE(absl::IsUnavailable(Read("s1", {}).status()));
  store_.HealLoads();
  reader.WaitFor(1);
  EXPECT_EQ(reader.announcements, 1);
}

TEST_F(BrokerTest, PublishesInFlightAreBounded) {
  options_.commit_queue.in_flight_bytes_max = 1'000;
  Restart();
  store_.Hold();
  Result<Published> held;
  broker_->Publish(CustomEvent("s1", std::string(800, 'x')), "", held.Done());
  EXPECT_TRUE(
      absl::IsResourceExhausted(Publish(CustomEvent("s1", std::string(800, 'x'))).status()));
  store_.LetGo(Fault::kNone);
  EXPECT_TRUE(held.Get().ok());
  EXPECT_TRUE(Publish(CustomEvent("s1", std::string(800, 'x'))).ok());
}

TEST_F(BrokerTest, ADeadlineThatPassedWhileControlWasAwayFiresAtTheStart) {
  v1::Event question = QuestionEvent("s1", "c");
  question.mutable_clarification()->mutable_time_limit()->set_seconds(100);
  question.mutable_clarification()->set_default_response("no");
  ASSERT_TRUE(Publish(std::move(question)).ok());
  options_.clock = [] { return absl::Now() + absl::Seconds(200); };
  Restart();
  Reader reader(*broker_, "s1");
  reader.WaitFor(2);
  Result<StoredEventPtr> found;
  broker_->FindClarification("s1", "c", found.Done());
  const v1::Event event = control::EventOf(**found.Get());
  EXPECT_EQ(event.clarification().status(), v1::CLARIFICATION_STATUS_EXPIRED);
  EXPECT_EQ(event.clarification().response(), "no");
  const auto left = store_.DueDeadlines(absl::InfiniteFuture(), 10);
  ASSERT_EQ(left->size(), 1u);
  EXPECT_TRUE((*left)[0].is_of_session());
}

TEST_F(BrokerTest, OfManyAnswersAtOnceOneWinsAndAllOthersLearnIt) {
  ASSERT_TRUE(Publish(QuestionEvent("s1", "c")).ok());
  std::atomic<int> winners{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this, &winners] {
      const auto ended = End("c", v1::CLARIFICATION_STATUS_ANSWERED);
      if (ended.ok()) {
        ++winners;
      } else {
        EXPECT_TRUE(absl::IsAlreadyExists(ended.status())) << ended.status();
        EXPECT_EQ(control::DetailOf(ended.status())->winner().response(), "x");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
}

TEST_F(BrokerTest, AskingForWhatDoesNotExistLeavesNothingInMemory) {
  options_.histories_bytes_max = 1;
  Restart();
  EXPECT_TRUE(absl::IsNotFound(Snapshot("nobody").status()));
  const int loads = store_.loads();
  EXPECT_TRUE(absl::IsNotFound(Snapshot("nobody").status()));
  EXPECT_EQ(store_.loads(), loads + 1);
}

}  // namespace
}  // namespace sessioncast::test
