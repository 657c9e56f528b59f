// Joining and leaving namespaces, middlewares, and the reasons why sockets go.
#include <future>

#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawWebSocket;

class ConnectTest : public ServerTest {
 protected:
  void LogDisconnects() {
    server().Of("/").OnDisconnect([this](Socket& socket, DisconnectReason reason) {
      EXPECT_FALSE(socket.connected());
      log_.Add(std::string(ToString(reason)));
    });
  }
};

TEST_F(ConnectTest, AConnectIsAnsweredWithAPublicId) {
  RawWebSocket socket = Open();
  socket.SendText("40");
  const Json reply = Json::parse(socket.ReadText().substr(2));
  EXPECT_EQ(reply["sid"].get<std::string>().size(), 20u);
  EXPECT_EQ(reply.size(), 1u);
}

TEST_F(ConnectTest, TheAuthOfEachNamespaceIsItsOwn) {
  for (const char* path : {"/", "/custom"}) {
    server().Of(path).OnConnect(
        [](Socket& socket) { socket.Emit("auth", Json::array({socket.handshake().auth})); });
  }
  RawWebSocket socket = Open();
  socket.SendText(R"(40{"token":"1"})");
  socket.ReadText();
  EXPECT_EQ(socket.ReadText(), R"(42["auth",{"token":"1"}])");
  socket.SendText("40/custom,");
  EXPECT_EQ(socket.ReadText().substr(0, 18), R"(40/custom,{"sid":")");
  EXPECT_EQ(socket.ReadText(), R"(42/custom,["auth",{}])");
}

TEST_F(ConnectTest, TheHandshakeSaysWhatTheFirstRequestSaid) {
  server().Of("/").OnConnect([](Socket& socket) {
    const Handshake& handshake = socket.handshake();
    socket.Emit("hi", Json::array({handshake.url, handshake.address, handshake.transport,
                                   engineio::FindField(handshake.headers, "x-a"),
                                   engineio::FindField(handshake.query, "k")}));
  });
  RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket&k=a+b", {{"X-A", "y"}});
  socket.ReadText();
  socket.SendText("40");
  socket.ReadText();
  EXPECT_EQ(
      socket.ReadText(),
      R"(42["hi","/socket.io/?EIO=4&transport=websocket&k=a+b","127.0.0.1","websocket","y","a b"])");
}

TEST_F(ConnectTest, AnUnknownNamespaceIsRefusedAndTheConnectionStays) {
  Echo();
  RawWebSocket socket = Open();
  socket.SendText("40/foo,");
  EXPECT_EQ(socket.ReadText(), R"(44/foo,{"message":"Invalid namespace"})");
  socket.SendText("40/custom?token=1,");
  EXPECT_EQ(socket.ReadText(), R"(44/custom?token=1,{"message":"Invalid namespace"})");
  socket.SendText("40");
  socket.ReadText();
  ExpectEcho(socket);
}

TEST_F(ConnectTest, AMiddlewareRefusesWithMessageAndData) {
  server().Of("/").Use([](Socket& socket, Namespace::Next next) {
    const Json& auth = socket.handshake().auth;
    if (auth.contains("ok")) return next(std::nullopt);
    const Json data = auth.contains("data") ? auth["data"] : Json();
    next(ConnectRefusal{"not authorized", data});
  });
  RawWebSocket socket = Open();
  socket.SendText("40");
  EXPECT_EQ(socket.ReadText(), R"(44{"message":"not authorized"})");
  socket.SendText(R"(40{"data":{"code":7}})");
  EXPECT_EQ(socket.ReadText(), R"(44{"data":{"code":7},"message":"not authorized"})");
  socket.SendText(R"(40{"ok":1})");
  EXPECT_EQ(socket.ReadText().substr(0, 9), "40{\"sid\":");
}

TEST_F(ConnectTest, MiddlewaresRunInOrderAndMayTakeTheirTime) {
  for (const char* name : {"first", "second"}) {
    server().Of("/").Use([this, name](Socket& socket, Namespace::Next next) {
      log_.Add(name);
      EXPECT_FALSE(socket.connected());
      socket.Emit("dropped", Json::array());
      socket.thread().Post([next] {
        next(std::nullopt);
        next(std::nullopt);  // is ignored
      });
    });
  }
  server().Of("/").OnConnect([this](Socket&) { log_.Add("connected"); });
  RawWebSocket socket = Open();
  socket.SendText("40");
  EXPECT_EQ(socket.ReadText().substr(0, 9), "40{\"sid\":");
  EXPECT_EQ(log_.WaitFor(3), (std::vector<std::string>{"first", "second", "connected"}));
}

TEST_F(ConnectTest, AClientThatLeavesWhileAMiddlewareDecidesIsDropped) {
  std::promise<Namespace::Next> waiting;
  std::promise<IoThread*> thread;
  server().Of("/").Use([&](Socket& socket, Namespace::Next next) {
    thread.set_value(&socket.thread());
    waiting.set_value(std::move(next));
  });
  server().Of("/").OnConnect([this](Socket&) { log_.Add("connected"); });
  LogDisconnects();
  {
    RawWebSocket socket = Open();
    socket.SendText("40");
    IoThread* owner = thread.get_future().get();
    Namespace::Next next = waiting.get_future().get();
    socket.SendBytes(tests::FrameBytes(0x88, ""));
    EXPECT_EQ(socket.ReadClose(), 1005);
    owner->Post([this, next] {
      next(std::nullopt);
      log_.Add("decided");
    });
  }
  EXPECT_EQ(log_.WaitFor(1), std::vector<std::string>{"decided"});
}

TEST_F(ConnectTest, WhatBreaksTheProtocolClosesTheConnection) {
  LogDisconnects();
  const struct {
    std::vector<std::string> packets;
    bool joins;
  } rows[] = {
      {{R"(42["echo"])"}, false},  // before CONNECT
      {{"41"}, false},
      {{"430[]"}, false},
      {{"40[]"}, false},
      {{"40null"}, false},
      {{"4"}, false},
      {{"49"}, false},
      {{"40custom,"}, false},
      {{"40", "40"}, true},                     // twice
      {{"40", R"(42/custom,["echo"])"}, true},  // not joined
      {{"40", "42"}, true},
      {{"40", "42{}"}, true},
      {{"40", "42[]"}, true},
      {{"40", R"(42["disconnect"])"}, true},
      {{"40", R"(44{"message":"x"})"}, true},
      {{"40", "41", R"(42["echo"])"}, true},  // after leaving the last namespace
  };
  size_t joined = 0;
  for (const auto& row : rows) {
    RawWebSocket socket = Open();
    for (const std::string& packet : row.packets) socket.SendText(packet);
    EXPECT_EQ(socket.ReadClose(), 1005) << row.packets.back();
    joined += row.joins ? 1 : 0;
    EXPECT_EQ(log_.WaitFor(joined).size(), joined) << row.packets.back();
  }
}

TEST_F(ConnectTest, AfterLeavingTheLastNamespaceOneMayJoinAgainAndIsAnother) {
  Echo();
  RawWebSocket socket = Open();
  socket.SendText("40");
  const std::string first = socket.ReadText();
  socket.SendText("41");
  socket.SendText("40");
  const std::string second = socket.ReadText();
  EXPECT_EQ(second.substr(0, 9), "40{\"sid\":");
  EXPECT_NE(second, first);
  ExpectEcho(socket);
}

TEST_F(ConnectTest, TheIdIsNotTheSidOfTheConnection) {
  RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket");
  const std::string sid = Json::parse(socket.ReadText().substr(1)).at("sid");
  socket.SendText("40");
  EXPECT_EQ(socket.ReadText().find(sid), std::string::npos);
}

TEST_F(ConnectTest, ForANamespaceWhoseMiddlewareStillDecidesAnythingElseClosesTheConnection) {
  server().Of("/").Use([this](Socket&, Namespace::Next) { log_.Add("asked"); });
  size_t asked = 0;
  for (const char* early : {R"(42["echo"])", "41", "40", "430[]"}) {
    RawWebSocket socket = Open();
    socket.SendText("40");
    EXPECT_EQ(log_.WaitFor(++asked).size(), asked);
    socket.SendText(early);
    EXPECT_EQ(socket.ReadClose(), 1005) << early;
  }
}

TEST_F(ConnectTest, WhoHasJoinedOnceStaysAlsoWithoutANamespace) {
  options_.connect_timeout = std::chrono::milliseconds(200);
  bool has_joined = false;
  // A machine under load may join too late: then it is tried again.
  for (int tries = 0; tries < 20 && !has_joined; ++tries) {
    RawWebSocket left = Open();
    left.SendText("40");
    has_joined = left.ReadText().substr(0, 9) == "40{\"sid\":";
    if (!has_joined) continue;
    left.SendText("41");
    EXPECT_EQ(Open().ReadClose(), 1005);  // who came later and joins nothing is closed
    left.SendText("40");
    EXPECT_EQ(left.ReadText().substr(0, 9), "40{\"sid\":");
  }
  EXPECT_TRUE(has_joined);
}

TEST_F(ConnectTest, TheServersDisconnectNamesTheNamespaceAndLeavesTheConnection) {
  Echo();
  server().Of("/n").On("leave", [](Socket& socket, const Json&, Ack) { socket.Disconnect(); });
  RawWebSocket socket = Join();
  socket.SendText("40/n,");
  socket.ReadText();
  socket.SendText(R"(42/n,["leave"])");
  EXPECT_EQ(socket.ReadText(), "41/n,");
  ExpectEcho(socket);
}

TEST_F(ConnectTest, AConnectAndAnEventInOnePayloadAreBothHandled) {
  Echo();
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "40\x1e"
                 R"(42["echo",2])"),
            200);
  const std::string answer = Poll(sid);
  EXPECT_NE(answer.find("\x1e"
                        R"(42["echo",2])"),
            std::string::npos)
      << answer;
}

TEST_F(ConnectTest, OnPollingABrokenProtocolIsToldToTheNextPoll) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "40"), 200);
  EXPECT_EQ(Poll(sid).substr(0, 9), "40{\"sid\":");
  EXPECT_EQ(Post(sid, "40"), 200);
  EXPECT_EQ(Poll(sid),
            "6\x1e"
            "1");
  EXPECT_EQ(Poll(sid), R"({"code":1,"message":"Session ID unknown"})");
}

TEST_F(ConnectTest, WhoJoinsNothingIsClosed) {
  options_.connect_timeout = std::chrono::milliseconds(50);
  Echo();
  RawWebSocket idle = Open();
  EXPECT_EQ(idle.ReadClose(), 1005);
  RawWebSocket refused = Open();
  refused.SendText("40/foo,");
  EXPECT_EQ(refused.ReadText().substr(0, 2), "44");
  EXPECT_EQ(refused.ReadClose(), 1005);
}

TEST_F(ConnectTest, EachReasonIsTold) {
  LogDisconnects();
  server().Of("/").On("leave", [](Socket& socket, const Json&, Ack) { socket.Disconnect(); });
  server().Of("/").On("close", [](Socket& socket, const Json&, Ack) {
    socket.CloseConnection(DisconnectReason::kForcedServerClose);
    EXPECT_FALSE(socket.connected());
    socket.Emit("dropped", Json::array());
  });
  {
    RawWebSocket socket = Join();
    socket.SendText("41");
    EXPECT_EQ(log_.WaitFor(1).back(), "client namespace disconnect");
  }
  {
    RawWebSocket socket = Join();
    socket.SendText(R"(42["leave"])");
    EXPECT_EQ(socket.ReadText(), "41");
    EXPECT_EQ(log_.WaitFor(2).back(), "server namespace disconnect");
  }
  {
    RawWebSocket socket = Join();
    socket.SendText(R"(42["close"])");
    EXPECT_EQ(socket.ReadClose(), 1005);
    EXPECT_EQ(log_.WaitFor(3).back(), "forced server close");
  }
  {
    RawWebSocket socket = Join();
    socket.SendText("40");
    EXPECT_EQ(log_.WaitFor(4).back(), "forced close");
  }
  {
    RawWebSocket socket = Join();
    socket.SendText("42{");
    EXPECT_EQ(log_.WaitFor(5).back(), "parse error");
  }
  {
    RawWebSocket socket = Join();
    socket.SendBytes(tests::FrameBytes(0x88, ""));
    EXPECT_EQ(log_.WaitFor(6).back(), "transport close");
  }
  RawWebSocket socket = Join();
  server().Stop();
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(log_.WaitFor(7).back(), "server shutting down");
}

}  // namespace
}  // namespace sessioncast::socketio
