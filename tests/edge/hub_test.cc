// The hub alone: sockets that record, and a control that the test plays.
#include "tests/edge/hub_fixture.h"

namespace sessioncast::edge {
namespace {

TEST_F(HubTest, ANewSubscriberGetsTheFoldThenLiveEvents) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(5);
  EXPECT_EQ(NextRead().from, kWholeFold);
  Page fold{.outcome = Page::Outcome::kPage,
            .top = {kEpoch, 5},
            .through = 5,
            .events = {ErrorEvent(2), ErrorEvent(4)}};
  hub_.PageArrived(1, fold);
  Arrive(6);
  EXPECT_EQ(socket.lines,
            (Lines{"subscribed 0", "error 2 skipped 1", "error 4 skipped 1", "error 6 skipped 1"}));
  EXPECT_EQ(opened_, (std::vector<Position>{{kEpoch, 0}}));
  EXPECT_EQ(hub_.counts().live, 1U);
  EXPECT_TRUE(reads_.empty());
}

TEST_F(HubTest, AnEmptyFoldBeginsAtTheTop) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(3);
  hub_.PageArrived(
      1, {.outcome = Page::Outcome::kPage, .top = {kEpoch, 3}, .through = 3, .events = {}});
  Arrive(4);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 3", "error 4"}));
}

TEST_F(HubTest, ASessionThatNobodyHasPublishedToYetBeginsWithItsFirstEvent) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  hub_.Announced(interests_["s"], {"", 0});
  hub_.PageArrived(1, {.outcome = Page::Outcome::kPage, .top = {}, .through = 0, .events = {}});
  Arrive(1);
  Arrive(2);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1", "error 2"}));
}

TEST_F(HubTest, AResumingSubscriberReadsPagesUntilItIsLiveWithoutGapOrDuplicate) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  Announce(6);
  EXPECT_EQ(NextRead().from, After(2));
  hub_.PageArrived(1, MakePage(3, 4, 6));
  EXPECT_EQ(NextRead().from, After(4));
  Arrive(7);  // while the page is under way: kept in the tail
  hub_.PageArrived(2, MakePage(5, 6, 6));
  Arrive(8);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 3", "error 4", "error 5", "error 6",
                                 "error 7", "error 8"}));
  EXPECT_TRUE(reads_.empty());
}

TEST_F(HubTest, APageThatIsAheadOfWhatArrivedIsNotRepeatedByIt) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  BecomeLiveAt(2);
  RecordingSocket at_top;
  const auto third = Subscribe(at_top, Position{kEpoch, 2});
  EXPECT_TRUE(reads_.empty());  // at the hub's position already
  EXPECT_EQ(at_top.lines, (Lines{"subscribed 2"}));
  RecordingSocket late;
  const auto second = Subscribe(late, Position{kEpoch, 1});
  hub_.PageArrived(NextRead().read_id, MakePage(2, 4, 4));  // control had 4 before it arrived here
  Arrive(3);
  Arrive(4);
  Arrive(5);
  EXPECT_EQ(late.lines, (Lines{"subscribed 1", "error 2", "error 3", "error 4", "error 5"}));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 3", "error 4", "error 5"}));
}

TEST_F(HubTest, APositionThatCannotBeResumedIsAnsweredByResyncAndTheFold) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{"old-----", 40});
  Announce(2);
  hub_.PageArrived(
      NextRead().read_id,
      {.outcome = Page::Outcome::kOutOfRange, .top = {kEpoch, 2}, .through = 0, .events = {}});
  EXPECT_TRUE(socket.lines.empty());
  hub_.PageArrived(NextRead().read_id, MakePage(1, 2, 2));
  Arrive(3);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "resync 0", "error 1", "error 2", "error 3"}));
}

TEST_F(HubTest, WhenControlComesBackSocketsGoOnFromWhereTheyAre) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  BecomeLiveAt(2);
  hub_.Detached();
  Arrive(3);  // of the stream that is gone
  interests_.clear();
  hub_.Attached();
  Announce(4);
  hub_.PageArrived(NextRead().read_id, MakePage(3, 4, 4));
  Arrive(5);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 3", "error 4", "error 5"}));
}

TEST_F(HubTest, WhenTheEpochChangedWhileControlWasAwayTheSocketIsToldToResync) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  BecomeLiveAt(2);
  hub_.Detached();
  hub_.Attached();
  hub_.Announced(interests_["s"], {"epoch--2", 1});
  hub_.PageArrived(
      NextRead().read_id,
      {.outcome = Page::Outcome::kOutOfRange, .top = {"epoch--2", 1}, .through = 0, .events = {}});
  hub_.PageArrived(NextRead().read_id, {.outcome = Page::Outcome::kPage,
                                        .top = {"epoch--2", 1},
                                        .through = 1,
                                        .events = {ErrorEvent(1, "epoch--2")}});
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "resync 0", "error 1"}));
}

TEST_F(HubTest, ASubscriptionWhileControlIsAwayIsAnsweredWhenItIsBack) {
  hub_.Detached();
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  EXPECT_TRUE(reads_.empty());
  EXPECT_TRUE(interests_.empty());
  hub_.Attached();
  Announce(1);
  hub_.PageArrived(NextRead().read_id, MakePage(1, 1, 1));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1"}));
}

TEST_F(HubTest, ASlowSocketsQueueIsDroppedAndItReadsConflatedPagesAsItDrains) {
  RecordingSocket slow;
  RecordingSocket fast;
  const auto first = Subscribe(slow, Position{kEpoch, 0});
  const auto second = Subscribe(fast, Position{kEpoch, 0});
  BecomeLiveAt(0);
  slow.stopped = true;
  slow.bytes_an_event = Pace::Limits{}.queue_bytes_max / 2;
  Arrive(1);
  slow.Leave(1);
  for (uint64_t sequence = 2; sequence <= 5; ++sequence) Arrive(sequence);
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "error 1", "error 2"}));  // 3 and 4 were dropped
  EXPECT_EQ(slow.unsent_max, 1);
  EXPECT_EQ(fast.lines, (Lines{"subscribed 0", "error 1", "error 2", "error 3", "error 4",
                               "error 5"}));
  EXPECT_TRUE(reads_.empty());
  Drain(slow, std::chrono::seconds(1));
  const ReadRequest read = NextRead();
  EXPECT_TRUE(read.conflated);
  EXPECT_EQ(read.page_bytes_max, Pace::Limits{}.slow_queue_bytes_min);
  EXPECT_EQ(read.from, After(2));
  hub_.PageArrived(read.read_id, MakePage(5, 5, 5));  // 3 and 4 were superseded
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "error 1", "error 2", "error 5 skipped 2"}));
  Drain(slow, std::chrono::seconds(1));
  EXPECT_EQ(hub_.counts().live, 2U);
  EXPECT_EQ(hub_.counts().skipped, 2U);
  EXPECT_EQ(hub_.counts().overflowed, 1U);
}

TEST_F(HubTest, ASocketThatDrainsAtOnceAgainAndAgainIsSlowNoMore) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  BecomeLiveAt(0);
  socket.stopped = true;
  socket.bytes_an_event = 200'000;
  Arrive(1);
  Arrive(2);
  EXPECT_EQ(socket.unsent_max, 1);
  uint64_t sequence = 2;
  socket.bytes_an_event = 100;
  int rounds = 0;
  constexpr int kRoundsMax = 50'000;  // of events of a hundred bytes or so
  for (; socket.unsent_max.has_value() && rounds < kRoundsMax; ++rounds) {
    Drain(socket, std::chrono::milliseconds(1));
    if (!reads_.empty()) {
      hub_.PageArrived(NextRead().read_id, MakePage(sequence, sequence, sequence));
    }
    if (!socket.drain_mark) Arrive(++sequence);
  }
  EXPECT_LT(rounds, kRoundsMax);
  Arrive(++sequence);
  EXPECT_EQ(socket.lines.back(), "error " + std::to_string(sequence));
}

TEST_F(HubTest, ASlowSocketReadsOneSessionAtATime) {
  RecordingSocket socket;
  const auto one = Subscribe(socket, Position{kEpoch, 0}, "s");
  const auto two = Subscribe(socket, Position{kEpoch, 0}, "t");
  for (const char* session : {"s", "t"}) hub_.Announced(interests_[session], {kEpoch, 0});
  while (!reads_.empty()) hub_.PageArrived(NextRead().read_id, MakePage(1, 0, 0));
  socket.stopped = true;
  socket.bytes_an_event = 200'000;
  Arrive(1);
  Arrive(2);
  EXPECT_EQ(hub_.counts().behind, 2U);
  Drain(socket, std::chrono::seconds(1));
  EXPECT_EQ(reads_.size(), 1U);
  EXPECT_EQ(hub_.counts().live, 0U);
  socket.bytes_an_event = 100;
  hub_.PageArrived(NextRead().read_id, MakePage(2, 2, 2));
  EXPECT_EQ(hub_.counts().behind, 2U);
  Drain(socket, std::chrono::seconds(1));
  EXPECT_EQ(hub_.counts().live, 2U);  // neither had more to read
}

TEST_F(HubTest, ASocketReadsNoMoreAtATimeThanItsQueueHasRoomFor) {
  RecordingSocket socket;
  std::vector<Hub::SubscriptionPtr> subscriptions;
  for (int i = 0; i < 20; ++i) {
    subscriptions.push_back(Subscribe(socket, Position{kEpoch, 1}, "s" + std::to_string(i)));
  }
  EXPECT_EQ(reads_.size(), 4U);
  size_t answered = 0;
  for (; !reads_.empty(); ++answered) hub_.PageArrived(NextRead().read_id, MakePage(2, 2, 2));
  EXPECT_GE(answered, 20U);
  EXPECT_EQ(socket.lines.size(), 40U);
}

// ---- the cursor

TEST_F(HubTest, TheCursorFollowsWhatHasLeft) {
  RecordingSocket socket;
  socket.stopped = true;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  BecomeLiveAt(2);
  Arrive(3);
  EXPECT_EQ(socket.cursor(), "1");
  socket.Leave(1);
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~2");
  socket.Leave(1);
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~3");
}

TEST_F(HubTest, WhileTheFoldIsDeliveredTheCursorSaysHowFar) {
  RecordingSocket socket;
  socket.stopped = true;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(5);
  Page fold = MakePage(2, 2, 5);
  hub_.PageArrived(NextRead().read_id, fold);
  EXPECT_EQ(NextRead().from, (Place{Place::Kind::kFold, {kEpoch, 2}}));
  fold = MakePage(4, 4, 5);
  fold.through = 5;
  hub_.PageArrived(2, fold);
  Arrive(6);
  EXPECT_EQ(socket.lines,
            (Lines{"subscribed 0", "error 2 skipped 1", "error 4 skipped 1", "error 6 skipped 1"}));
  std::vector<std::string> cursors;
  for (int i = 0; i < 4; ++i) {
    socket.Leave(1);
    cursors.push_back(socket.cursor());
  }
  EXPECT_EQ(cursors, (Lines{"1;s~epoch--1~0*", "1;s~epoch--1~2*", "1;s~epoch--1~4",
                            "1;s~epoch--1~6"}));
}

TEST_F(HubTest, AllPiecesOfAFoldAreOfTheTopOfTheFirstAndTheLogFollowsBehindIt) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(5);
  ReadRequest read = NextRead();
  EXPECT_EQ(read.fold_through, 0U);
  hub_.PageArrived(read.read_id, MakePage(2, 2, 5));
  read = NextRead();
  EXPECT_EQ(read.from, (Place{Place::Kind::kFold, {kEpoch, 2}}));
  EXPECT_EQ(read.fold_through, 5U);
  for (uint64_t sequence = 6; sequence <= 8; ++sequence) Arrive(sequence);
  Page last = MakePage(4, 4, 8);
  last.through = 5;
  hub_.PageArrived(read.read_id, last);
  EXPECT_TRUE(reads_.empty());
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 2 skipped 1", "error 4 skipped 1",
                                 "error 6 skipped 1", "error 7", "error 8"}));
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~8");
}

TEST_F(HubTest, ALastPieceOfAFoldMayBeEmpty) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(6);
  hub_.PageArrived(NextRead().read_id, MakePage(2, 2, 5));
  Page last{.outcome = Page::Outcome::kPage, .top = {kEpoch, 6}, .through = 5, .events = {}};
  hub_.PageArrived(NextRead().read_id, last);  // 6 took the place of 4
  const ReadRequest read = NextRead();
  EXPECT_EQ(read.from, After(5));
  hub_.PageArrived(read.read_id, MakePage(6, 6, 6));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 2 skipped 1", "error 6 skipped 3"}));
}

TEST_F(HubTest, AFoldWhoseQueuedEventsWereDroppedIsReadAgainOfTheSameTop) {
  RecordingSocket slow;
  const auto subscription = Subscribe(slow, std::nullopt);
  Announce(3);
  slow.stopped = true;
  hub_.PageArrived(NextRead().read_id, MakePage(1, 3, 3));
  slow.Leave(2);  // `subscribed` and 1
  slow.bytes_an_event = Pace::Limits{}.queue_bytes_max / 2;
  for (uint64_t sequence = 4; sequence <= 6; ++sequence) Arrive(sequence);
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "error 1", "error 2"}));
  Drain(slow, std::chrono::seconds(1));
  const ReadRequest read = NextRead();
  EXPECT_EQ(read.from, (Place{Place::Kind::kFold, {kEpoch, 2}}));
  EXPECT_EQ(read.fold_through, 3U);
}

TEST_F(HubTest, AFoldBehindWhoseTopNothingIsKeptBeginsAnew) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(5);
  hub_.PageArrived(NextRead().read_id, MakePage(2, 2, 5));
  Page gone{.outcome = Page::Outcome::kOutOfRange, .top = {kEpoch, 90}, .through = 0, .events = {}};
  hub_.PageArrived(NextRead().read_id, gone);
  const ReadRequest read = NextRead();
  EXPECT_EQ(read.from.kind, Place::Kind::kFold);
  EXPECT_EQ(read.from.position.sequence, 0U);
  EXPECT_EQ(read.fold_through, 0U);
  hub_.PageArrived(read.read_id, MakePage(90, 90, 90));
  EXPECT_EQ(socket.lines,
            (Lines{"subscribed 0", "error 2 skipped 1", "resync 0", "error 90 skipped 89"}));
}

TEST_F(HubTest, AFoldThatWasCutGoesOnFromWhereItWas) {
  RecordingSocket socket;
  const auto subscription =
      hub_.Resume(ReaderOf(socket), "s", {Place::Kind::kFold, {kEpoch, 2}});
  Announce(5);
  EXPECT_EQ(NextRead().from, (Place{Place::Kind::kFold, {kEpoch, 2}}));
  hub_.PageArrived(1, MakePage(5, 5, 5));
  EXPECT_EQ(socket.lines, (Lines{"error 5 skipped 2"}));
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~5");
}

TEST_F(HubTest, AFoldThatWasCutBeginsAnewWhenTheLogHasANewLife) {
  RecordingSocket socket;
  const auto subscription =
      hub_.Resume(ReaderOf(socket), "s", {Place::Kind::kFold, {"old-----", 2}});
  Announce(3);
  hub_.PageArrived(NextRead().read_id, MakePage(3, 3, 3));
  EXPECT_TRUE(socket.lines.empty());
  EXPECT_EQ(NextRead().from.position.sequence, 0U);
  hub_.PageArrived(2, MakePage(1, 3, 3));
  EXPECT_EQ(socket.lines, (Lines{"resync 0", "error 1", "error 2", "error 3"}));
}

TEST_F(HubTest, WhoComesBackReadsOnWithoutSubscribed) {
  RecordingSocket socket;
  const auto subscription = hub_.Resume(ReaderOf(socket), "s", After(2));
  Announce(4);
  hub_.PageArrived(NextRead().read_id, MakePage(3, 4, 4));
  Arrive(5);
  EXPECT_EQ(socket.lines, (Lines{"error 3", "error 4", "error 5"}));
}

TEST_F(HubTest, WhoComesBackAndAsksForTheSamePlaceIsOnlyAnswered) {
  RecordingSocket socket;
  const auto subscription = hub_.Resume(ReaderOf(socket), "s", After(2));
  Announce(3);
  hub_.PageArrived(NextRead().read_id, MakePage(3, 3, 3));
  hub_.SubscribeAgain(*subscription, Position{kEpoch, 2}, [](const Position&) {});
  Arrive(4);
  EXPECT_EQ(socket.lines, (Lines{"error 3", "subscribed 3", "error 4"}));
  hub_.SubscribeAgain(*subscription, Position{kEpoch, 3}, [](const Position&) {});
  hub_.PageArrived(NextRead().read_id, MakePage(4, 4, 4));
  EXPECT_EQ(socket.lines.back(), "error 4");
}

TEST_F(HubTest, AResyncDropsWhatIsQueuedOfTheSession) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  BecomeLiveAt(0);
  socket.stopped = true;
  Arrive(1);
  Arrive(2);
  hub_.Announced(interests_["s"], {"epoch--2", 0});
  hub_.PageArrived(NextRead().read_id, {.outcome = Page::Outcome::kOutOfRange,
                                        .top = {"epoch--2", 0},
                                        .through = 0,
                                        .events = {}});
  hub_.PageArrived(NextRead().read_id, {.outcome = Page::Outcome::kPage,
                                        .top = {"epoch--2", 1},
                                        .through = 1,
                                        .events = {ErrorEvent(1, "epoch--2")}});
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1", "resync 0", "error 1"}));
  socket.Leave(1);
  EXPECT_EQ(socket.cursor(), "1;s~epoch--1~1");
  socket.Leave(1);
  EXPECT_EQ(socket.cursor(), "1;s~epoch--2~0*");
}

TEST_F(HubTest, WhoUnsubscribesGetsNothingMoreOfWhatIsQueued) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  BecomeLiveAt(0);
  Arrive(1);
  socket.stopped = true;
  Arrive(2);
  Arrive(3);
  EXPECT_EQ(hub_.Unsubscribe(*subscription), "s~epoch--1~2");
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1", "error 2"}));
}

TEST_F(HubTest, ManySocketsAtOnePlaceShareOneRead) {
  std::vector<RecordingSocket> sockets(50);
  std::vector<Hub::SubscriptionPtr> subscriptions;
  for (RecordingSocket& socket : sockets)
    subscriptions.push_back(Subscribe(socket, Position{kEpoch, 1}));
  EXPECT_EQ(reads_.size(), 1U);
  Announce(2);
  hub_.PageArrived(1, MakePage(2, 2, 2));
  for (const RecordingSocket& socket : sockets) {
    EXPECT_EQ(socket.lines, (Lines{"subscribed 1", "error 2"}));
  }
}

TEST_F(HubTest, SubscribingAgainByIdAnswersOnlyAndWithAPositionMovesThere) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 2});
  Announce(3);
  hub_.PageArrived(NextRead().read_id, MakePage(3, 3, 3));
  hub_.SubscribeAgain(*subscription, std::nullopt, [](const Position&) {});
  hub_.SubscribeAgain(*subscription, Position{kEpoch, 1}, [](const Position&) {});
  hub_.PageArrived(NextRead().read_id, MakePage(2, 3, 3));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 2", "error 3", "subscribed 3", "subscribed 1",
                                 "error 2", "error 3"}));
}

TEST_F(HubTest, AnEventThatCannotBeShownIsDeclaredAsSkippedByTheNext) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  BecomeLiveAt(0);
  Arrive(1);
  hub_.Arrived(interests_["s"], {"\xff"});
  Arrive(3);
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1", "error 3 skipped 1"}));
}

TEST_F(HubTest, AnUnavailablePageIsReadAgainByRetry) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 0});
  Announce(1);
  hub_.PageArrived(NextRead().read_id, Page{});
  EXPECT_TRUE(reads_.empty());
  hub_.Retry();
  hub_.PageArrived(NextRead().read_id, MakePage(1, 1, 1));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0", "error 1"}));
}

TEST_F(HubTest, TheLastToLeaveEndsTheInterestAndNothingIsSentAfterwards) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, Position{kEpoch, 1});
  hub_.Unsubscribe(*subscription);
  EXPECT_EQ(ended_.size(), 1U);
  hub_.PageArrived(1, MakePage(2, 2, 2));
  Arrive(2);
  EXPECT_TRUE(socket.lines.empty());
  EXPECT_EQ(hub_.counts().sessions, 0U);
}

TEST_F(HubTest, WhoUnsubscribesInOneBreathIsAnsweredAtOnce) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  hub_.AnswerAtOnce(*subscription);
  hub_.Unsubscribe(*subscription);
  hub_.PageArrived(NextRead().read_id, MakePage(1, 1, 1));
  EXPECT_EQ(socket.lines, (Lines{"subscribed 0"}));
  EXPECT_EQ(opened_, (std::vector<Position>{Position{}}));
}

TEST_F(HubTest, WhoLeavesInTheMiddleOfAFanOutGetsNothingMoreAndTheOthersGetAll) {
  std::vector<RecordingSocket> sockets(5);
  std::vector<Hub::SubscriptionPtr> subscriptions;
  for (RecordingSocket& socket : sockets)
    subscriptions.push_back(Subscribe(socket, Position{kEpoch, 0}));
  BecomeLiveAt(0);
  sockets[1].on_emit = [&] {
    for (const size_t i : {0, 1, 3}) hub_.Unsubscribe(*subscriptions[i]);
  };
  Arrive(1);
  Arrive(2);
  EXPECT_EQ(sockets[0].lines, (Lines{"subscribed 0", "error 1"}));
  EXPECT_EQ(sockets[1].lines, (Lines{"subscribed 0", "error 1"}));
  EXPECT_EQ(sockets[3].lines, (Lines{"subscribed 0"}));
  EXPECT_EQ(sockets[2].lines, (Lines{"subscribed 0", "error 1", "error 2"}));
  EXPECT_EQ(sockets[4].lines, (Lines{"subscribed 0", "error 1", "error 2"}));
  sockets[2].on_emit = sockets[4].on_emit = [&] {
    for (const auto& subscription : subscriptions) hub_.Unsubscribe(*subscription);
  };
  Arrive(3);
  EXPECT_EQ(hub_.counts().sessions, 0U);
}

}  // namespace
}  // namespace sessioncast::edge
