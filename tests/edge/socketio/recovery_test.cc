// Who a client that comes back is, and the argument that is computed when an event leaves.
#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::Fetch;
using tests::RawWebSocket;

constexpr char kPid[] = "0123456789abcdefghij0123456789ab";
constexpr char kId[] = "abcdefghijklmnopqrst";

class RecoveryTest : public ServerTest {
 protected:
  // Clients that present kPid are kId; others get a pid of their own.
  void Identify() {
    server().Of("/").UseRecovery([](Socket& socket) {
      const Json& auth = socket.handshake().auth;
      if (auth.value("pid", "") == kPid) return Identity{kPid, kId, true};
      return Identity{"fresh", "", false};
    });
  }

  // The last argument says how many events left before, and the tag.
  static void Count(Socket& socket) {
    auto left = std::make_shared<int>(0);
    socket.SetLastArgument(
        [left](const Tag& tag) {
          const int number = (*left)++;
          const std::string name = tag ? *static_cast<const std::string*>(tag.get()) : "none";
          return std::to_string(number) + "\"" + name;
        },
        [left](const Tag&) { --*left; });
  }

  static Tag TagOf(std::string name) { return std::make_shared<const std::string>(std::move(name)); }
};

TEST_F(RecoveryTest, AFreshClientIsGivenAPidBesideItsSid) {
  Identify();
  server().Of("/").OnConnect([this](Socket& socket) { log_.Add(socket.recovered() ? "old" : "new"); });
  RawWebSocket socket = Open();
  socket.SendText("40");
  const Json reply = Json::parse(socket.ReadText().substr(2));
  EXPECT_EQ(reply.at("pid"), "fresh");
  EXPECT_EQ(reply.at("sid").get<std::string>().size(), 20U);
  EXPECT_EQ(log_.WaitFor(1), std::vector<std::string>{"new"});
}

TEST_F(RecoveryTest, AClientThatIsKnownGetsItsOldIdAndItsEventsBehindTheReply) {
  Identify();
  server().Of("/").OnConnect([](Socket& socket) {
    if (socket.recovered()) socket.Emit("missed", Json::array({socket.id()}));
  });
  RawWebSocket socket = Open();
  socket.SendText(std::string("40{\"pid\":\"") + kPid + "\",\"offset\":\"7\"}");
  EXPECT_EQ(Json::parse(socket.ReadText().substr(2)), Json({{"pid", kPid}, {"sid", kId}}));
  EXPECT_EQ(socket.ReadText(), std::string("42[\"missed\",\"") + kId + "\"]");
}

TEST_F(RecoveryTest, AMiddlewareRefusesBeforeAnybodyIsRecognised) {
  Identify();
  server().Of("/").Use([](Socket&, Namespace::Next next) { next(ConnectRefusal{"no", Json()}); });
  RawWebSocket socket = Open();
  socket.SendText(std::string("40{\"pid\":\"") + kPid + "\"}");
  EXPECT_EQ(socket.ReadText(), R"(44{"message":"no"})");
}

TEST_F(RecoveryTest, TheLastArgumentIsComputedInTheOrderInWhichEventsLeave) {
  server().Of("/").OnConnect([](Socket& socket) {
    Count(socket);
    socket.Emit("a", Json::array({1}));
    socket.Emit(EncodedEvent::FromJson("b", "", TagOf("x")));
    socket.EmitTagged("c", Json::array({Json::binary({1, 2})}), TagOf("y"));
    socket.Emit("d", Json::array());
  });
  RawWebSocket socket = Join();
  EXPECT_EQ(socket.ReadText(), R"(42["a",1,"0\"none"])");
  EXPECT_EQ(socket.ReadText(), R"(42["b","1\"x"])");
  EXPECT_EQ(socket.ReadText(), R"(451-["c",{"_placeholder":true,"num":0},"2\"y"])");
  EXPECT_EQ(socket.ReadFrame()->payload, "\x01\x02");
  EXPECT_EQ(socket.ReadText(), R"(42["d","3\"none"])");
}

TEST_F(RecoveryTest, TheLastArgumentIsThatOfTheMomentWhenAPollTakesTheEvent) {
  auto position = std::make_shared<std::string>("early");
  std::shared_ptr<Socket> kept;
  server().Of("/").OnConnect([&](Socket& socket) {
    kept = socket.shared_from_this();
    socket.SetLastArgument([position](const Tag&) { return *position; });
  });
  server().Of("/").On("emit", [position](Socket& socket, const Json&, Ack) {
    socket.Emit("a", Json::array());
    *position = "late";
  });
  const std::string sid = OpenPolling();
  Post(sid, "40");
  EXPECT_EQ(Poll(sid).substr(0, 3), "40{");
  Post(sid, R"(42["emit"])");
  EXPECT_EQ(Poll(sid), R"(42["a","late"])");
}

TEST_F(RecoveryTest, NoAcknowledgementAndNoEventThatWantsOneEndsInIt) {
  server().Of("/").OnConnect([](Socket& socket) { Count(socket); });
  server().Of("/").On("ask", [](Socket& socket, const Json&, Ack ack) {
    ack(Json::array({1}));
    socket.EmitWithAck("asked", Json::array(), std::chrono::seconds(5), [](absl::Status, const Json&) {});
    socket.Emit("told", Json::array());
  });
  RawWebSocket socket = Join();
  socket.SendText(R"(427["ask"])");
  EXPECT_EQ(socket.ReadText(), "437[1]");
  EXPECT_EQ(socket.ReadText(), R"(420["asked"])");
  EXPECT_EQ(socket.ReadText(), R"(42["told","0\"none"])");
}

TEST_F(RecoveryTest, AnEmptyLastArgumentAddsNothing) {
  server().Of("/").OnConnect([](Socket& socket) {
    socket.SetLastArgument([](const Tag&) { return std::string(); });
    socket.Emit("a", Json::array({1}));
  });
  RawWebSocket socket = Join();
  EXPECT_EQ(socket.ReadText(), R"(42["a",1])");
}

TEST_F(RecoveryTest, OneEventServesSocketsWithAndWithoutALastArgument) {
  const EncodedEvent event = EncodedEvent::FromJson("a", "1", TagOf("x"));
  server().Of("/").OnConnect([event](Socket& socket) {
    if (socket.handshake().auth.contains("count")) Count(socket);
    socket.Emit(event);
  });
  RawWebSocket plain = Join();
  EXPECT_EQ(plain.ReadText(), R"(42["a",1])");
  RawWebSocket counted = Open();
  counted.SendText(R"(40{"count":true})");
  counted.ReadText();
  EXPECT_EQ(counted.ReadText(), R"(42["a",1,"0\"x"])");
}

TEST_F(RecoveryTest, WhatIsQueuedWhenASocketLeavesIsCompletedWhileItsUserIsThere) {
  server().Of("/").OnConnect([this](Socket& socket) {
    socket.SetLastArgument([this](const Tag&) {
      log_.Add("computed");
      return std::string("o");
    });
  });
  server().Of("/").On("leave", [](Socket& socket, const Json&, Ack) {
    socket.Emit("bye", Json::array());
    socket.Disconnect();
  });
  server().Of("/").On("close", [](Socket& socket, const Json&, Ack) {
    socket.Emit("bye", Json::array());
    socket.CloseConnection(DisconnectReason::kForcedServerClose);
  });
  server().Of("/").OnDisconnect([this](Socket&, DisconnectReason) { log_.Add("left"); });
  for (const char* how : {"leave", "close"}) {
    RawWebSocket socket = Join();
    socket.SendText(std::string("42[\"") + how + "\"]");
    EXPECT_EQ(socket.ReadText(), R"(42["bye","o"])");
  }
  EXPECT_EQ(log_.WaitFor(4), (std::vector<std::string>{"computed", "left", "computed", "left"}));
}

// A client that reads slowly, so that events leave in parts: each has one ending all the same.
TEST_F(RecoveryTest, AnEventThatLeavesInPartsHasOneLastArgument) {
  constexpr int kEvents = 200;
  const EncodedEvent event =
      EncodedEvent::FromJson("a", Json(std::string(50'000, 'x')).dump(), TagOf("x"));
  server().Of("/").OnConnect([event](Socket& socket) {
    Count(socket);
    for (int i = 0; i < kEvents; ++i) socket.Emit(event);
  });
  RawWebSocket socket = Join();
  for (int i = 0; i < kEvents; ++i) {
    const std::string text = socket.ReadText();
    const std::string end = "\",\"" + std::to_string(i) + "\\\"x\"]";
    ASSERT_GE(text.size(), end.size());
    EXPECT_EQ(text.substr(text.size() - end.size()), end);
    EXPECT_EQ(text.size(), 50'000 + 9 + end.size() - 1);
  }
}

// Events that are gathered for a write and do not fit are not "left": what is dropped then has never
// counted.
TEST_F(RecoveryTest, WhatIsDroppedHasNotMovedTheLastArgument) {
  server().Of("/").OnConnect([](Socket& socket) {
    Count(socket);
    const EncodedEvent event =
        EncodedEvent::FromJson("a", Json(std::string(100'000, 'x')).dump(), TagOf("x"));
    for (int i = 0; i < 100; ++i) socket.Emit(event);
    socket.thread().Post([weak = socket.weak_from_this()] {
      const std::shared_ptr<Socket> self = weak.lock();
      self->DropQueued([](const Tag&) { return true; });
      self->Emit("end", Json::array());
    });
  });
  RawWebSocket socket = Join();
  int events = 0;
  std::string text = socket.ReadText();
  for (; text.substr(0, 6) == R"(42["a")"; text = socket.ReadText()) ++events;
  EXPECT_LT(events, 100);
  EXPECT_EQ(text, "42[\"end\",\"" + std::to_string(events) + "\\\"none\"]");
}

TEST_F(RecoveryTest, InANamespaceEventsEndInItToo) {
  server().Of("/custom").OnConnect([](Socket& socket) {
    Count(socket);
    socket.Emit(EncodedEvent::FromJson("a", "1", TagOf("x")));
  });
  RawWebSocket socket = Open();
  socket.SendText("40/custom,");
  socket.ReadText();
  EXPECT_EQ(socket.ReadText(), R"(42/custom,["a",1,"0\"x"])");
}

TEST_F(RecoveryTest, ARequestThatIsNotAllowedIsToldWhy) {
  server().AllowRequest([](const HttpRequest& request) -> std::optional<std::string> {
    const bool is_bad = request.target.find("bad=1") != std::string::npos;
    return is_bad ? std::optional<std::string>("not \"you\"") : std::nullopt;
  });
  const tests::RawResponse refused =
      Fetch(port(), {"GET", "/socket.io/?EIO=4&transport=polling&bad=1", {}, ""});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body, R"({"code":4,"message":"not \"you\""})");
  RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket&bad=1");
  EXPECT_EQ(socket.response().status, 400);
  EXPECT_EQ(socket.response().body, R"(not "you")");
  // Who has a sid was allowed when it got it.
  const std::string sid = OpenPolling();
  EXPECT_EQ(Fetch(port(), {"POST", PollTarget(sid) + "&bad=1", {}, "40"}).status, 200);
}

TEST_F(RecoveryTest, TheCookieComesWithThePollingHandshakeOnly) {
  options_.cookie = "io";
  const tests::RawResponse opened =
      Fetch(port(), {"GET", "/socket.io/?EIO=4&transport=polling", {}, ""});
  const std::string sid = opened.body.substr(9, 20);
  EXPECT_EQ(opened.headers.at("set-cookie"), "io=" + sid + "; Path=/; HttpOnly; SameSite=Lax");
  const tests::RawResponse post = Fetch(port(), {"POST", PollTarget(sid), {}, "40"});
  EXPECT_FALSE(post.headers.contains("set-cookie"));
  RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket");
  EXPECT_EQ(socket.response().status, 101);
  EXPECT_FALSE(socket.response().headers.contains("set-cookie"));
}

}  // namespace
}  // namespace sessioncast::socketio
