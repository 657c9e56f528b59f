// The heartbeat. Intervals are short; a machine under load is late, never early, so only earliness
// is an error here.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;
using tests::RawTcp;
using tests::RawWebSocket;
using tests::ReadResponse;

// Where the client answers in time, however busy the machine is.
constexpr milliseconds kNotReached{30'000};
// Where it does not answer, and yet has something to send before the end.
constexpr milliseconds kReached{1'500};

class HeartbeatTest : public EngineTest {
 protected:
  HeartbeatTest() {
    options_.connection.ping_interval = milliseconds(60);
    options_.connection.ping_timeout = milliseconds(40);
  }
};

TEST_F(HeartbeatTest, AWebSocketIsPingedAfterEachPong) {
  options_.connection.ping_timeout = kNotReached;
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
  bool was_prolonged = false;
  // A machine under load may be too late with the first packet: then it is tried again.
  for (size_t tries = 1; tries <= 20 && !was_prolonged; ++tries) {
    RawWebSocket socket(port(), kWebSocket);
    socket.ReadText();
    EXPECT_EQ(socket.ReadText(), "2");
    EXPECT_FALSE(socket.ReadFrame(milliseconds(100)).has_value());
    const Clock::time_point prolonged = Clock::now();
    socket.SendText("4first");
    was_prolonged = socket.ReadText() == "4first";
    // Traffic without a pong, until the server has had enough of it.
    for (int i = 0; i < 1'000 && !socket.tcp().ended(); ++i) {
      if (!socket.ReadFrame(milliseconds(20)).has_value()) socket.SendText("4x");
    }
    if (was_prolonged) {
      EXPECT_GE(Clock::now() - prolonged, milliseconds(200));
    }
    EXPECT_EQ(closes_.WaitFor(tries).size(), tries);
  }
  EXPECT_TRUE(was_prolonged);
  for (const DisconnectReason reason : closes_.WaitFor(1)) {
    EXPECT_EQ(ToString(reason), "ping timeout");
  }
}

TEST_F(HeartbeatTest, APongThatNobodyAskedForPutsTheNextPingOff) {
  options_.connection.ping_interval = milliseconds(300);
  bool was_put_off = false;
  // A machine under load may be too late with the pong: then it is tried again.
  for (int tries = 0; tries < 20 && !was_put_off; ++tries) {
    RawWebSocket socket(port(), kWebSocket);
    socket.ReadText();
    EXPECT_NE(socket.ReadText(milliseconds(150)), "x");  // time passes
    const Clock::time_point ponged = Clock::now();
    socket.SendBytes(tests::FrameBytes(0x81, "3") + tests::FrameBytes(0x81, "4on"));
    was_put_off = socket.ReadText() == "4on";
    if (!was_put_off) continue;
    EXPECT_EQ(socket.ReadText(), "2");
    EXPECT_GE(Clock::now() - ponged, milliseconds(300));
  }
  EXPECT_TRUE(was_put_off);
}

TEST_F(HeartbeatTest, APollingClientIsPingedInAPollAndAnswersInAPost) {
  options_.connection.ping_timeout = kNotReached;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Poll(sid).body, "2");
  EXPECT_EQ(Post(sid, "3").body, "ok");
  EXPECT_EQ(Poll(sid).body, "2");
}

TEST_F(HeartbeatTest, APollThatIsPendingAtThePingTimeoutIsAnsweredAndTheSidForgotten) {
  options_.connection.ping_timeout = kReached;
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
  options_.connection.ping_timeout = kReached;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Poll(sid).body, "2");
  RawWebSocket socket(port(), UpgradeTarget(sid));
  socket.SendText("5");
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "ping timeout");
}

}  // namespace
}  // namespace sessioncast::engineio
