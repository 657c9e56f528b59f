// What the broker keeps of a session, and what its readers are told of the rest.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/control/broker_fixture.h"

namespace sessioncast::test {
namespace {

class BrokerKeptTest : public BrokerTest {
 protected:
  BrokerKeptTest() {
    options_.history.kept.events_max = 16;
    Restart();
  }

  void PublishMany(int events) {
    for (int n = 0; n < events; ++n) ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  }
};

TEST_F(BrokerKeptTest, APositionThatIsNotKeptAnyMoreIsAnsweredWithTheTop) {
  const auto first = Publish(ProgressEvent("s1", 10));
  PublishMany(39);
  for (int restarts = 0; restarts < 2; ++restarts) {
    for (const v1::Position& after : {v1::Position(), v1::Position(first->position)}) {
      const auto page = Read("s1", after);
      ASSERT_TRUE(page.ok());
      EXPECT_EQ(page->outcome, ReadPage::Outcome::kOutOfRange);
      EXPECT_EQ(page->top.sequence(), 40u);
      EXPECT_TRUE(page->events.empty());
    }
    const auto kept = Read("s1", PositionAt(first->position.epoch(), 26));
    ASSERT_EQ(kept->outcome, ReadPage::Outcome::kPage);
    EXPECT_EQ(kept->events.size(), 14u);
    const auto snapshot = Snapshot("s1");
    ASSERT_TRUE(snapshot.ok());
    ASSERT_EQ(snapshot->events.size(), 1u);
    EXPECT_EQ(snapshot->events[0]->sequence, 1u);
    EXPECT_EQ(snapshot->summary.status(), v1::SESSION_STATUS_PROCESSING);
    Restart();
  }
}

TEST_F(BrokerKeptTest, AKeyIsKnownExactlyAsLongAsItsEventIsKeptAlsoAfterARestart) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "a"), "k1").ok());
  ASSERT_TRUE(Publish(CustomEvent("s1", "a"), "k2").ok());
  PublishMany(14);
  EXPECT_TRUE(Publish(CustomEvent("s1", "a"), "k1")->duplicate);
  PublishMany(1);
  Restart();
  const auto again = Publish(CustomEvent("s1", "a"), "k1");
  EXPECT_FALSE(again->duplicate);
  EXPECT_EQ(again->position.sequence(), 18u);
}

TEST_F(BrokerKeptTest, AReadFromTheStoreThatATrimOvertookIsOutOfRange) {
  options_.history.window_events_max = 2;
  Restart();
  PublishMany(10);
  store_.HoldReads();
  Result<ReadPage> page;
  broker_->Read({"s1", {}, {}}, page.Done());
  store_.WaitForAHeldRead();
  PublishMany(20);
  store_.LetReadsGo();
  const auto read = page.Get();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->outcome, ReadPage::Outcome::kOutOfRange);
  EXPECT_TRUE(read->events.empty());
}

TEST_F(BrokerKeptTest, AReaderThatPagesBesideAPublisherGetsPagesWithoutHolesOrOutOfRange) {
  options_.history.window_events_max = 4;
  Restart();
  PublishMany(1);
  std::atomic<bool> done{false};
  std::thread publisher([this, &done] {
    PublishMany(3'000);
    done = true;
  });
  v1::Position at = Read("s1", {})->top;
  bool last = false;
  while (!last) {
    last = done;
    const auto page = Read("s1", at, {.events_scanned_max = 3});
    ASSERT_TRUE(page.ok()) << page.status();
    if (page->outcome == ReadPage::Outcome::kOutOfRange) {
      at = page->top;
      continue;
    }
    for (const StoredEventPtr& event : page->events) {
      ASSERT_EQ(event->sequence, at.sequence() + 1);
      at.set_sequence(event->sequence);
    }
    ASSERT_EQ(at.sequence(), page->through);
  }
  publisher.join();
}

TEST_F(BrokerKeptTest, ALiveReaderThatATrimOvertookIsAnnouncedAnew) {
  PublishMany(1);
  const auto subscription = broker_->Subscribe("s1", [] {});
  ASSERT_TRUE(subscription->Next(1'000).announced.has_value());
  PublishMany(30);
  const LivePage again = subscription->Next(1'000);
  ASSERT_TRUE(again.announced.has_value());
  EXPECT_EQ(again.announced->sequence(), 31u);
}

TEST_F(BrokerKeptTest, AnEighthThatCouldNotBeRemovedIsStillThere) {
  PublishMany(16);
  store_.Hold();
  Result<Published> lost;
  broker_->Publish(CustomEvent("s1", "x"), "", lost.Done());
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_TRUE(absl::IsUnavailable(lost.Get().status()));
  store_.Heal();
  EXPECT_EQ(Read("s1", {})->events.size(), 16u);
}

}  // namespace
}  // namespace sessioncast::test
