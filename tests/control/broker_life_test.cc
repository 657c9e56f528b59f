// How sessions end by themselves and are deleted, by a clock that the test sets.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/control/broker_fixture.h"

namespace sessioncast::test {
namespace {

class BrokerLifeTest : public BrokerTest {
 protected:
  BrokerLifeTest() {
    options_.clock = [now = now_] { return absl::FromUnixSeconds(*now); };
    options_.deadlines.pause_ms_max = 5;
    options_.deadlines.retry_ms = 5;
    Restart();
  }

  void Pass(absl::Duration time) { *now_ += absl::ToInt64Seconds(time); }

  std::vector<control::Deadline> Deadlines() {
    return *store_.DueDeadlines(absl::InfiniteFuture(), 100);
  }
  // Until the session's own deadline is so far ahead; then all that was due has been done.
  void WaitForDeadlineIn(absl::Duration ahead) {
    const absl::Time expected = absl::FromUnixSeconds(*now_) + ahead;
    const absl::Time until = absl::Now() + kDeadline;
    while (absl::Now() < until) {
      for (const control::Deadline& deadline : Deadlines()) {
        if (deadline.is_of_session() && deadline.time == expected) return;
      }
      std::this_thread::yield();
    }
    FAIL() << "no deadline at " << expected;
  }
  void WaitUntilGone(const std::string& session_id) {
    const absl::Time until = absl::Now() + kDeadline;
    while (absl::Now() < until) {
      if (absl::IsNotFound(Snapshot(session_id).status())) return;
      std::this_thread::yield();
    }
    FAIL() << session_id << " is still there";
  }
  void WaitUntilNothingIsDue() {
    const absl::Time until = absl::Now() + kDeadline;
    while (absl::Now() < until) {
      if (store_.DueDeadlines(options_.clock(), 1)->empty()) return;
      std::this_thread::yield();
    }
    FAIL() << "something is still due";
  }
  void WaitForReload(int loads_before) {
    const absl::Time until = absl::Now() + kDeadline;
    while (store_.loads() == loads_before && absl::Now() < until) std::this_thread::yield();
    ASSERT_GT(store_.loads(), loads_before);
  }
  v1::SessionStatus StatusOf(const std::string& session_id) {
    const auto snapshot = Snapshot(session_id);
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? snapshot->summary.status() : v1::SESSION_STATUS_UNSPECIFIED;
  }

  std::shared_ptr<std::atomic<int64_t>> now_ = std::make_shared<std::atomic<int64_t>>(1'000'000);
};

v1::Event QuestionWithLimit(const std::string& clarification_id, absl::Duration limit) {
  v1::Event event = QuestionEvent("s1", clarification_id);
  event.mutable_clarification()->mutable_time_limit()->set_seconds(absl::ToInt64Seconds(limit));
  return event;
}

TEST_F(BrokerLifeTest, ASessionWithoutAnEventForItsTimeToLiveEndsAsExpired) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 40)).ok());
  ASSERT_TRUE(Publish(QuestionEvent("s1", "c")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(2);
  Pass(absl::Hours(24));
  reader.WaitFor(4);
  const auto page = Read("s1", {});
  ASSERT_EQ(page->events.size(), 4u);
  EXPECT_TRUE(page->ended);
  const v1::Event cancelled = control::EventOf(*page->events[2]);
  EXPECT_EQ(cancelled.clarification().status(), v1::CLARIFICATION_STATUS_CANCELLED);
  const v1::Event end = control::EventOf(*page->events[3]);
  EXPECT_EQ(end.progress().status(), v1::SESSION_STATUS_EXPIRED);
  EXPECT_EQ(end.progress().percent(), 40);
  EXPECT_EQ(end.progress().clarification_count(), 0u);
  EXPECT_EQ(StatusOf("s1"), v1::SESSION_STATUS_EXPIRED);
  EXPECT_TRUE(absl::IsFailedPrecondition(Publish(CustomEvent("s1", "late")).status()));
}

TEST_F(BrokerLifeTest, ASecondBeforeItsTimeToLiveASessionGoesOnAndEachEventBeginsItAnew) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  for (int n = 2; n <= 4; ++n) {
    Pass(absl::Hours(24) - absl::Seconds(1));
    ASSERT_TRUE(Publish(ProgressEvent("s1", n)).ok());
  }
  WaitUntilNothingIsDue();
  EXPECT_EQ(Read("s1", {})->events.size(), 4u);
  EXPECT_EQ(StatusOf("s1"), v1::SESSION_STATUS_PROCESSING);
}

TEST_F(BrokerLifeTest, TheTimeToLiveCountsAcrossARestart) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  broker_.reset();
  Pass(absl::Hours(25));
  Restart();
  Reader reader(*broker_, "s1");
  reader.WaitFor(2);
  EXPECT_EQ(StatusOf("s1"), v1::SESSION_STATUS_EXPIRED);
  WaitForDeadlineIn(absl::Hours(24) * 7);
}

TEST_F(BrokerLifeTest, AnOpenQuestionWithALimitOfItsOwnHoldsTheExpiryOff) {
  ASSERT_TRUE(Publish(QuestionWithLimit("c", absl::Hours(48))).ok());
  Reader reader(*broker_, "s1");
  Pass(absl::Hours(24));
  WaitForDeadlineIn(absl::Hours(24));
  EXPECT_EQ(Read("s1", {})->events.size(), 1u);
  Pass(absl::Hours(24));  // the limit passes; that is an event
  reader.WaitFor(2);
  WaitForDeadlineIn(absl::Hours(24));
  EXPECT_EQ(Read("s1", {})->events.size(), 2u);
  EXPECT_FALSE(Read("s1", {})->ended);
  Pass(absl::Hours(24));
  reader.WaitFor(3);
  EXPECT_EQ(StatusOf("s1"), v1::SESSION_STATUS_EXPIRED);
}

TEST_F(BrokerLifeTest, ASessionIsDeletedSevenDaysAfterItsEndAndItsIdBeginsANewEpoch) {
  const auto first = Publish(ProgressEvent("s1", 1), "key");
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  Pass(absl::Hours(24));
  WaitForDeadlineIn(absl::Hours(24) * 6);
  Pass(absl::Hours(24) * 6 - absl::Seconds(1));
  EXPECT_EQ(StatusOf("s1"), v1::SESSION_STATUS_COMPLETED);
  Pass(absl::Seconds(1));
  WaitUntilGone("s1");
  EXPECT_TRUE(Deadlines().empty());
  EXPECT_TRUE(store_.ListSessions("", 10)->empty());
  EXPECT_EQ(Read("s1", first->position)->outcome, ReadPage::Outcome::kOutOfRange);
  const auto again = Publish(ProgressEvent("s1", 1), "key");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->duplicate);
  EXPECT_EQ(again->position.sequence(), 1u);
  EXPECT_NE(again->position.epoch(), first->position.epoch());
  EXPECT_EQ(Deadlines().size(), 1u);
}

TEST_F(BrokerLifeTest, ADeletionThatCameDueWhileControlWasAwayHappensAtTheStart) {
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  broker_.reset();
  Pass(absl::Hours(24) * 8);
  Restart();
  WaitUntilGone("s1");
  EXPECT_TRUE(Deadlines().empty());
}

TEST_F(BrokerLifeTest, ALiveReaderOfADeletedSessionIsAnnouncedItsBeginningAndSeesTheNextLife) {
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  Reader reader(*broker_, "s1");
  reader.WaitFor(1);
  EXPECT_EQ(reader.announcements, 1);
  Pass(absl::Hours(24) * 7);
  reader.WaitFor(0);
  EXPECT_EQ(reader.announcements, 2);
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  ASSERT_TRUE(Publish(ProgressEvent("s1", 2)).ok());
  reader.WaitFor(2);
  EXPECT_EQ(reader.seen, (Sequences{1, 2}));
  EXPECT_EQ(reader.announcements, 2);
}

TEST_F(BrokerLifeTest, ADeletionThatFailedIsTriedAgain) {
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  const int loads = store_.loads();
  store_.Hold();
  Pass(absl::Hours(24) * 7);
  store_.LetGo(Fault::kLosesTheGroup);
  WaitForReload(loads);
  store_.Heal();
  Pass(absl::Seconds(1));
  WaitUntilGone("s1");
  EXPECT_TRUE(Deadlines().empty());
}

TEST_F(BrokerLifeTest, APublishBesideADeletionIsOfTheNextLife) {
  const auto first = Publish(CompletedEvent("s1"));
  store_.Hold();
  Pass(absl::Hours(24) * 7);
  store_.WaitForAHeldCommit();
  Result<Published> beside;
  broker_->Publish(ProgressEvent("s1", 1), "", beside.Done());
  store_.LetGo(Fault::kNone);
  const auto next = beside.Get();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->position.sequence(), 1u);
  EXPECT_NE(next->position.epoch(), first->position.epoch());
}

TEST_F(BrokerLifeTest, ShorterTimesThanTheDefaultsHoldToo) {
  options_.history.ended_kept_ms = 1'000;
  Restart();
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  Pass(absl::Seconds(1));
  WaitUntilGone("s1");
  ASSERT_TRUE(Publish(ProgressEvent("s2", 1)).ok());
  Pass(absl::Seconds(2));
  ASSERT_TRUE(Publish(CompletedEvent("s2")).ok());
  Pass(absl::Seconds(1));
  WaitUntilGone("s2");
}

// Found by the simulation: the index was looked at when the limit passed, and had nothing yet.
TEST_F(BrokerLifeTest, ALimitThatPassesWhileTheStoreIsFullEndsItsQuestionOnceThereIsRoom) {
  v1::Event question = QuestionEvent("s1", "c1");
  question.mutable_clarification()->mutable_time_limit()->set_seconds(60);
  FillTheStoreWith(question);
  const int looks = store_.looks_for_deadlines();
  Pass(absl::Minutes(2));
  const absl::Time until = absl::Now() + kDeadline;
  while (store_.looks_for_deadlines() == looks) {
    ASSERT_LT(absl::Now(), until) << "nobody looks for deadlines";
    std::this_thread::yield();
  }
  Reader reader(*broker_, "s1");  // so that it stays in memory
  store_.MakeRoom();
  for (uint64_t top = 0; top < 2;) {
    ASSERT_LT(absl::Now(), until) << "the question stays open";
    Pass(absl::Seconds(1));
    const auto snapshot = Snapshot("s1");
    top = snapshot.ok() ? snapshot->summary.position().sequence() : 0;
  }
}

TEST_F(BrokerLifeTest, ADeadlineThatCannotBeActedUponHoldsUpNoOther) {
  options_.deadlines.deadlines_per_round_max = 2;
  Restart();
  for (const std::string session : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(Publish(ProgressEvent(session, 1)).ok());
    Pass(absl::Seconds(1));
  }
  broker_.reset();
  for (const std::string session : {"a", "b", "c"}) store_.FailLoadsOf(session);
  broker_ = std::make_unique<Broker>(store_, options_);
  Pass(absl::Hours(24));
  const absl::Time until = absl::Now() + kDeadline;
  while (Snapshot("d")->summary.status() != v1::SESSION_STATUS_EXPIRED) {
    ASSERT_LT(absl::Now(), until) << "it does not expire";
  }
}

}  // namespace
}  // namespace sessioncast::test
