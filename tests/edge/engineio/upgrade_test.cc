// The upgrade from polling to websocket.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::RawTcp;
using tests::RawWebSocket;
using tests::ReadResponse;

class UpgradeTest : public EngineTest {
 protected:
  // A websocket whose probe has been answered.
  RawWebSocket Probed(const std::string& sid) {
    RawWebSocket socket(port(), UpgradeTarget(sid));
    EXPECT_EQ(socket.response().status, 101);
    socket.SendText("2probe");
    EXPECT_EQ(socket.ReadText(), "3probe");
    return socket;
  }
  void ExpectEcho(RawWebSocket& socket, const std::string& text) {
    socket.SendText("4" + text);
    EXPECT_EQ(socket.ReadText(), "4" + text);
  }
};

TEST_F(UpgradeTest, AProbedWebSocketTakesOver) {
  const std::string sid = OpenPolling();
  RawTcp poll = PendingPoll(sid);
  RawWebSocket socket = Probed(sid);
  EXPECT_EQ(ReadResponse(poll).body, "6");
  socket.SendText("5");
  ExpectEcho(socket, "hello");
  EXPECT_EQ(Poll(sid).body, R"({"code":3,"message":"Bad request"})");
  EXPECT_EQ(Post(sid, "4late").body, R"({"code":3,"message":"Bad request"})");
  ExpectEcho(socket, "unharmed");
  EXPECT_EQ(engine_->connections(), 1u);
}

TEST_F(UpgradeTest, APollThatComesAfterTheProbeIsAnsweredWithNoopAndASecondProbeToo) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  EXPECT_EQ(Poll(sid).body, "6");
  socket.SendText("2probe");
  EXPECT_EQ(socket.ReadText(), "3probe");
}

TEST_F(UpgradeTest, MessagesBetweenProbeAndUpgradeGoToAPollOrElseToTheWebSocket) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  EXPECT_EQ(Post(sid, "4one").body, "ok");
  EXPECT_EQ(Poll(sid).body, "4one");
  EXPECT_EQ(Post(sid, "4two").body, "ok");
  socket.SendText("5");
  EXPECT_EQ(socket.ReadText(), "4two");
  EXPECT_EQ(socket.ReadText(), "4three");
}

TEST_F(UpgradeTest, AnUpgradeWithoutProbeEndsThePendingPoll) {
  const std::string sid = OpenPolling();
  RawTcp poll = PendingPoll(sid);
  RawWebSocket socket(port(), UpgradeTarget(sid));
  socket.SendText("5");
  EXPECT_EQ(ReadResponse(poll).body, "1");
  ExpectEcho(socket, "hello");
}

TEST_F(UpgradeTest, AnyOtherPacketClosesTheProbingWebSocketAndPollingGoesOn) {
  for (const char* packet : {"4early", "2", "2other", "3", "1", ""}) {
    const std::string sid = OpenPolling();
    RawWebSocket socket(port(), UpgradeTarget(sid));
    socket.SendText(packet);
    EXPECT_EQ(socket.ReadClose(), 1005) << packet;
    EXPECT_EQ(Post(sid, "4on").body, "ok");
    EXPECT_EQ(Poll(sid).body, "4on");
    RawWebSocket again = Probed(sid);
    again.SendText("5");
    ExpectEcho(again, "hello");
  }
}

TEST_F(UpgradeTest, ABinaryMessageClosesTheProbingWebSocketToo) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  socket.SendBinary("early");
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(Post(sid, "4on").body, "ok");
  EXPECT_EQ(Poll(sid).body, "4on");
}

TEST_F(UpgradeTest, AnUpgradeRequestOfAnotherRevisionOrTransportIsRefusedAndPollingGoesOn) {
  const std::string sid = OpenPolling();
  for (const char* query : {"?EIO=3&transport=websocket&sid=", "?transport=websocket&sid=",
                            "?EIO=4&transport=polling&sid="}) {
    RawWebSocket socket(port(), "/engine.io/" + (query + sid));
    EXPECT_EQ(socket.response().status, 400) << query;
    EXPECT_EQ(socket.response().body, "Bad request");
    EXPECT_TRUE(socket.tcp().ReadsEnd());
  }
  RawWebSocket socket = Probed(sid);
  socket.SendText("5");
  ExpectEcho(socket, "hello");
}

TEST_F(UpgradeTest, AProbingWebSocketThatDiesLeavesPollingAsItWas) {
  const std::string sid = OpenPolling();
  {
    RawWebSocket socket = Probed(sid);
    socket.tcp().Reset();
  }
  // Until the reset is noticed, polls end with a noop, and another websocket is turned away.
  std::string body = "6";
  for (int i = 0; i < 1'000 && body == "6"; ++i) {
    Post(sid, "4on");
    body = Poll(sid).body;
  }
  EXPECT_EQ(body, "4on");
}

TEST_F(UpgradeTest, AnUpgradeThatIsNeverFinishedIsClosedAndPollingGoesOn) {
  options_.connection.upgrade_timeout = std::chrono::milliseconds(50);
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(Post(sid, "4on").body, "ok");
  EXPECT_EQ(Poll(sid).body, "4on");
  // Another may be tried.
  RawWebSocket again(port(), UpgradeTarget(sid));
  again.SendText("5");
  ExpectEcho(again, "hello");
}

TEST_F(UpgradeTest, ASecondWebSocketDuringOrAfterTheUpgradeIsClosed) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  RawWebSocket during(port(), UpgradeTarget(sid));
  EXPECT_EQ(during.response().status, 101);
  EXPECT_EQ(during.ReadClose(), 1005);
  socket.SendText("5");
  ExpectEcho(socket, "hello");
  RawWebSocket after(port(), UpgradeTarget(sid));
  EXPECT_EQ(after.response().status, 101);
  EXPECT_EQ(after.ReadClose(), 1005);
  ExpectEcho(socket, "again");
}

TEST_F(UpgradeTest, AConnectionThatEndsWhileUpgradingClosesItsWebSocketToo) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  Post(sid, "1");
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(UpgradeTest, AConnectionThatTheServerEndsWhileUpgradingClosesBothTransports) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  EXPECT_EQ(Post(sid, "4close").body, "ok");
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(Poll(sid).body,
            "6\x1e"
            "1");
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(UpgradeTest, AConnectionThatWasClosedIsFinishedOnTheWebSocket) {
  const std::string sid = OpenPolling();
  Post(sid, "4close");
  RawWebSocket socket(port(), UpgradeTarget(sid));
  EXPECT_EQ(socket.response().status, 101);
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(UpgradeTest, APostThatWasOnItsWayIsStillDelivered) {
  const std::string sid = OpenPolling();
  RawWebSocket socket = Probed(sid);
  RawTcp post(port());
  post.Send("POST " + PollTarget(sid) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4a");
  EXPECT_EQ(Poll(sid).body, "6");
  socket.SendText("5");
  ExpectEcho(socket, "hello");
  post.Send("bcd");
  EXPECT_EQ(ReadResponse(post).body, "ok");
  EXPECT_EQ(socket.ReadText(), "4abcd");
}

}  // namespace
}  // namespace sessioncast::engineio
