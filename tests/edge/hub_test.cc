// The hub alone: sockets that record, and a control that the test plays.
#include "edge/hub.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sessioncast::edge {
namespace {

using Json = nlohmann::json;

constexpr char kEpoch[] = "epoch--1";

// A socket that keeps what it is sent, one line each: "progress 3", "error 9 skipped 2",
// "subscribed 0".
class RecordingSocket : public socketio::Socket {
 public:
  const std::string& id() const override { return id_; }
  const socketio::Handshake& handshake() const override { return handshake_; }
  socketio::IoThread& thread() const override { std::abort(); }
  bool connected() const override { return true; }
  bool recovered() const override { return false; }
  void EmitTagged(std::string_view, const Json&, socketio::Tag) override { std::abort(); }
  void Emit(const socketio::EncodedEvent& event) override {
    const Json packet = Json::parse(event.packet().substr(1));
    std::string line = packet[0].get<std::string>() + " " + packet[1]["sequence"].dump();
    if (packet[1].contains("skipped")) line += " skipped " + packet[1]["skipped"].dump();
    lines.push_back(line);
    if (on_emit) on_emit();
  }
  void EmitWithAck(std::string_view, const Json&, std::chrono::milliseconds,
                   std::function<void(absl::Status, const Json&)>) override {
    std::abort();
  }
  void EmitVolatile(std::string_view, const Json&) override { std::abort(); }
  void SetLastArgument(std::function<std::string(const socketio::Tag&)>) override { std::abort(); }
  size_t queued_bytes() const override { return queued; }
  void Disconnect() override { std::abort(); }
  void CloseConnection(socketio::DisconnectReason) override { std::abort(); }

  std::vector<std::string> lines;
  std::function<void()> on_emit;
  size_t queued = 0;

 private:
  std::string id_ = "socket";
  socketio::Handshake handshake_;
};

std::string ErrorEvent(uint64_t sequence, const std::string& epoch = kEpoch) {
  v1::Event event;
  event.set_session_id("s");
  event.mutable_position()->set_epoch(epoch);
  event.mutable_position()->set_sequence(sequence);
  event.mutable_error()->set_message("e");
  return event.SerializeAsString();
}

Page MakePage(uint64_t first, uint64_t last, uint64_t top) {
  Page page{.outcome = Page::Outcome::kPage, .top = {kEpoch, top}, .through = last, .events = {}};
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    page.events.push_back(ErrorEvent(sequence));
  }
  return page;
}

class HubTest : public testing::Test {
 protected:
  HubTest()
      : hub_(
            Hub::Options{},
            {.begin = [this](uint32_t id, const std::string& session) { interests_[session] = id; },
             .end = [this](uint32_t id) { ended_.push_back(id); },
             .read = [this](ReadRequest request) { reads_.push_back(request); }}) {
    hub_.Attached();
  }

  Hub::SubscriptionPtr Subscribe(RecordingSocket& socket, From from) {
    return hub_.Subscribe(socket, "s", std::move(from),
                          [this](const Position& position) { opened_.push_back(position); });
  }
  // The read that waits longest.
  ReadRequest NextRead() {
    if (reads_.empty()) {
      ADD_FAILURE() << "the hub asked for no page";
      return {};
    }
    ReadRequest request = reads_.front();
    reads_.erase(reads_.begin());
    return request;
  }
  void Arrive(uint64_t sequence) { hub_.Arrived(interests_["s"], {ErrorEvent(sequence)}); }
  void Announce(uint64_t sequence) { hub_.Announced(interests_["s"], {kEpoch, sequence}); }

  // Everybody who has subscribed at the top becomes live there.
  void BecomeLiveAt(uint64_t top) {
    Announce(top);
    while (!reads_.empty()) hub_.PageArrived(NextRead().read_id, MakePage(top + 1, top, top));
  }

  std::map<std::string, uint32_t> interests_;
  std::vector<uint32_t> ended_;
  std::vector<ReadRequest> reads_;
  std::vector<Position> opened_;
  Hub hub_;
};

using Lines = std::vector<std::string>;

TEST_F(HubTest, ANewSubscriberGetsTheFoldThenLiveEvents) {
  RecordingSocket socket;
  const auto subscription = Subscribe(socket, std::nullopt);
  Announce(5);
  EXPECT_FALSE(NextRead().from.has_value());
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
  EXPECT_EQ(NextRead().from, (Position{kEpoch, 2}));
  hub_.PageArrived(1, MakePage(3, 4, 6));
  EXPECT_EQ(NextRead().from, (Position{kEpoch, 4}));
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

TEST_F(HubTest, ASlowSocketIsBehindAndReadsConflatedPagesWhenItsQueueHasDrained) {
  RecordingSocket slow;
  RecordingSocket fast;
  const auto first = Subscribe(slow, Position{kEpoch, 0});
  const auto second = Subscribe(fast, Position{kEpoch, 0});
  BecomeLiveAt(0);
  slow.queued = Hub::Options{}.queue_bytes_max + 1;
  Arrive(1);
  Arrive(2);
  Arrive(3);
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "error 1"}));
  EXPECT_EQ(fast.lines, (Lines{"subscribed 0", "error 1", "error 2", "error 3"}));
  EXPECT_TRUE(reads_.empty());
  slow.queued = 0;
  hub_.Drained(*first);
  const ReadRequest read = NextRead();
  EXPECT_TRUE(read.conflated);
  Page page = MakePage(3, 3, 3);  // 2 was superseded
  hub_.PageArrived(read.read_id, page);
  EXPECT_EQ(slow.lines, (Lines{"subscribed 0", "error 1", "error 3 skipped 1"}));
  EXPECT_EQ(hub_.counts().live, 2U);
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
