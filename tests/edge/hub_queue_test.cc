// What the hub makes of who subscribes again, waits, or goes while events of it are queued.
#include <memory>

#include "tests/edge/hub_fixture.h"

namespace sessioncast::edge {
namespace {

class HubQueueTest : public HubTest {
 protected:
  // Its reads are read here, too.
  std::unique_ptr<Hub> HubWithQueuesOfOnePage() {
    Hub::Options options = OptionsAt([this] { return now_; });
    options.pace.queue_bytes_max = options.page_bytes_max;
    auto hub = std::make_unique<Hub>(
        options, Hub::Upward{.begin = [](uint32_t, const std::string&) {},
                             .end = [](uint32_t) {},
                             .read = [this](ReadRequest request) { reads_.push_back(request); }});
    hub->Attached();
    return hub;
  }
};

TEST_F(HubQueueTest, WhoSubscribesAgainIsToldWhatHasLeftAlsoIfWhatIsQueuedIsDroppedLater) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  BecomeLiveAt(0);
  socket.stopped = true;
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) Arrive(sequence);
  hub_.SubscribeAgain(*subscription, std::nullopt, [](const Position&) {});
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1", "subscribed 1"}));
  EXPECT_EQ(NextRead().from, After(1));
  socket.LeaveAll();
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~1");
}

TEST_F(HubQueueTest, WhatWasQueuedBeforeAPositionWasAskedForDoesNotTakeItBack) {
  RecordingSocket slow;
  const auto subscription = Subscribe(slow, std::nullopt);
  Announce(3);
  slow.stopped = true;
  hub_.PageArrived(NextRead().read_id, MakePage(1, 3, 3));
  hub_.SubscribeAgain(*subscription, Position{kEpoch, 3}, [](const Position&) {});
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "subscribed 3"}));
  slow.bytes_an_event = Pace::Limits{}.queue_bytes_max / 2;
  for (uint64_t sequence = 4; sequence <= 6; ++sequence) Arrive(sequence);
  Drain(slow, std::chrono::seconds(1));
  EXPECT_EQ(NextRead().from, After(3));
}

TEST_F(HubQueueTest, APositionAboveTheTopIsNotTakenAtItsWord) {
  RecordingSocket socket;
  RecordingSocket other;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  BecomeLiveAt(2);
  const auto above = Subscribe(other, Position{kEpoch, 9});
  EXPECT_TRUE(other.lines.empty());
  EXPECT_EQ(NextRead().from, After(9));
}

TEST_F(HubQueueTest, WhoUnsubscribesInOneBreathNeverHasACursorInAFoldOfNothing) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  hub_.AnswerAtOnce(*subscription);
  EXPECT_EQ(socket.cursor(), "1;s~-~0");
}

TEST_F(HubQueueTest, ASocketMayCloseWhileItsQueueIsFlushed) {
  auto socket = std::make_unique<RecordingSocket>();
  Hub::ReaderPtr reader = hub_.AddReader(*socket);
  Hub::SubscriptionPtr subscription = hub_.Subscribe(reader, "s", After(0), [](const Position&) {});
  BecomeLiveAt(0);
  socket->stopped = true;
  socket->bytes_an_event = 2 * Pace::Limits{}.queue_bytes_max;
  std::function<void()> flushed;
  socket->on_flush = [&] {
    hub_.Unsubscribe(*std::exchange(subscription, nullptr));
    reader = nullptr;
    flushed = std::move(socket->on_flush);  // it runs
    socket = nullptr;
  };
  Arrive(1);
  EXPECT_EQ(socket, nullptr);
  EXPECT_EQ(hub_.counts().sessions, 0U);
}

TEST_F(HubQueueTest, ADrainIsAwaitedThatLeavesRoomForAPage) {
  const std::unique_ptr<Hub> hub = HubWithQueuesOfOnePage();
  RecordingSocket socket;
  socket.stopped = true;
  const Hub::ReaderPtr reader = hub->AddReader(socket);
  const auto first = hub->Subscribe(reader, "s", After(0), [](const Position&) {});
  hub->PageArrived(NextRead().read_id, MakePage(1, 2, 9));
  EXPECT_TRUE(reads_.empty());
  EXPECT_EQ(socket.drain_mark, 0U);
}

TEST_F(HubQueueTest, WhoWaitsForThePageOfAnotherGoesOnWhenThatUnsubscribes) {
  const std::unique_ptr<Hub> hub = HubWithQueuesOfOnePage();
  RecordingSocket socket;
  const Hub::ReaderPtr reader = hub->AddReader(socket);
  const auto first = hub->Subscribe(reader, "s", After(0), [](const Position&) {});
  const auto second = hub->Subscribe(reader, "t", After(0), [](const Position&) {});
  EXPECT_EQ(NextRead().session_id, "s");
  hub->Unsubscribe(*first);
  ASSERT_TRUE(socket.drain_mark.has_value());
  hub->Drained(*reader);
  EXPECT_EQ(NextRead().session_id, "t");
}

}  // namespace
}  // namespace sessioncast::edge
