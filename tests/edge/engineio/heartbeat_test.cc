// The heartbeat. Intervals are short; a machine under load is late, never early, so only earliness
// is an error here.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;
using tests::RawTcp;
using tests::RawWebSocket;
using tests::ReadResponse;

class HeartbeatTest : public EngineTest {
 protected:
  HeartbeatTest() {
    options_.connection.ping_interval = milliseconds(60);
    options_.connection.ping_timeout = milliseconds(40);
  }
};

TEST_F(HeartbeatTest, AWebSocketIsPingedAfterEachPong) {
  RawWebSocket socket(port(), kWebSocket);
  EXPECT_EQ(socket.ReadText().substr(0, 1), "0");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(socket.ReadText(), "2");
    socket.SendText("3");
  }
}

TEST_F(HeartbeatTest, AClientThatDoesNotAnswerIsClosedAtTheDeadline) {
  port();
  const Clock::time_point begin = Clock::now();
  RawWebSocket socket(port(), kWebSocket);
  EXPECT_EQ(socket.ReadText().substr(0, 1), "0");
  EXPECT_EQ(socket.ReadText(), "2");
  EXPECT_GE(Clock::now() - begin, milliseconds(60));
  EXPECT_EQ(socket.ReadClose(), 1005);
  const Clock::duration waited = Clock::now() - begin;
  EXPECT_GE(waited, milliseconds(100));
  const auto late = std::chrono::duration_cast<std::chrono::microseconds>(waited).count() - 100'000;
  RecordProperty("late_us", static_cast<int>(late));
  std::printf("closed %ld us after the deadline, as the client sees it\n", static_cast<long>(late));
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
}

TEST_F(HeartbeatTest, OtherPacketsProlongTheDeadlineOnce) {
  options_.connection.ping_timeout = milliseconds(200);
  RawWebSocket socket(port(), kWebSocket);
  socket.ReadText();
  EXPECT_EQ(socket.ReadText(), "2");
  const Clock::time_point pinged = Clock::now();
  std::atomic<bool> ended = false;
  // Traffic without a pong, until the server has had enough of it.
  for (int i = 0; i < 1'000 && !ended; ++i) {
    if (socket.ReadFrame(milliseconds(20)).has_value()) continue;
    if (socket.tcp().ended()) break;
    socket.SendText("4x");
  }
  EXPECT_GE(Clock::now() - pinged, milliseconds(200));
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
}

TEST_F(HeartbeatTest, APollingClientIsPingedInAPollAndAnswersInAPost) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Poll(sid).body, "2");
  EXPECT_EQ(Post(sid, "3").body, "ok");
  EXPECT_EQ(Poll(sid).body, "2");
}

TEST_F(HeartbeatTest, APollThatIsPendingAtThePingTimeoutIsAnsweredAndTheSidForgotten) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Poll(sid).body, "2");
  const tests::RawResponse last = Poll(sid);
  EXPECT_EQ(last.body, "1");
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(HeartbeatTest, ThePingWaitsForAPollButItsDeadlineDoesNot) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(HeartbeatTest, APongThatIsDueAtTheUpgradeIsStillWaitedFor) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Poll(sid).body, "2");
  RawWebSocket socket(port(), UpgradeTarget(sid));
  socket.SendText("5");
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
}

}  // namespace
}  // namespace sessioncast::engineio
