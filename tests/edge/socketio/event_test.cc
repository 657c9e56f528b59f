// Events: arguments, binary attachments, volatile ones, and ones that are made once.
#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawFrame;
using tests::RawWebSocket;

class EventTest : public ServerTest {};

TEST_F(EventTest, AnyArgumentsComeBack) {
  Echo();
  RawWebSocket socket = Join();
  for (const char* arguments :
       {R"("x")", "1,2.5,-3", R"(null,true,[],{})", R"({"a":[1,{"b":"\n\u001e"}]})", R"("é€😀")"}) {
    const std::string packet = std::string(R"(42["echo",)") + arguments + "]";
    socket.SendText(packet);
    EXPECT_EQ(Json::parse(socket.ReadText().substr(2)), Json::parse(packet.substr(2)));
  }
  socket.SendText(R"(42["echo"])");
  EXPECT_EQ(socket.ReadText(), R"(42["echo"])");
}

TEST_F(EventTest, UnknownEventsGoToOnOtherOrNowhere) {
  Echo();
  Echo("/other");
  server().Of("/other").OnOther(
      [](Socket& socket, const std::string& event, const Json& arguments, Ack) {
        socket.Emit("other", Json::array({event, arguments}));
      });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["nobody",1])");
  ExpectEcho(socket);
  socket.SendText("40/other,");
  socket.ReadText();
  socket.SendText(R"(42/other,["what",1])");
  EXPECT_EQ(socket.ReadText(), R"(42/other,["other","what",[1]])");
  socket.SendText(R"(42/other,[1,"x"])");
  EXPECT_EQ(socket.ReadText(), R"(42/other,["other","1",["x"]])");
}

TEST_F(EventTest, BinaryGoesBothWaysOverWebSocket) {
  Echo();
  RawWebSocket socket = Join();
  socket.SendText(R"(452-["echo",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]])");
  socket.SendBinary("\x01\x02");
  socket.SendText("3");  // Engine.IO's own packets may come between
  socket.SendBinary("");
  EXPECT_EQ(socket.ReadText(),
            R"(452-["echo",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]])");
  const std::optional<RawFrame> first = socket.ReadFrame();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->opcode, 2);
  EXPECT_EQ(first->payload, "\x01\x02");
  EXPECT_EQ(socket.ReadFrame()->payload, "");
}

TEST_F(EventTest, BinaryMayComeInSeveralPostsAndEvenAcrossTheUpgrade) {
  Echo();
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "40"), 200);
  Poll(sid);
  EXPECT_EQ(Post(sid, R"(451-["echo",{"_placeholder":true,"num":0}])"), 200);
  EXPECT_EQ(Post(sid, "bAQI="), 200);
  EXPECT_EQ(Poll(sid), R"(451-["echo",{"_placeholder":true,"num":0}])"
                       "\x1e"
                       "bAQI=");
  EXPECT_EQ(Post(sid, R"(451-["echo",{"_placeholder":true,"num":0}])"), 200);
  RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket&sid=" + sid);
  socket.SendText("2probe");
  EXPECT_EQ(socket.ReadText(), "3probe");
  socket.SendText("5");
  socket.SendBinary("\x07");
  EXPECT_EQ(socket.ReadText(), R"(451-["echo",{"_placeholder":true,"num":0}])");
  EXPECT_EQ(socket.ReadFrame()->payload, "\x07");
}

TEST_F(EventTest, AttachmentsThatBreakTheRulesCloseTheConnection) {
  const struct {
    std::string text;
    int binaries;
    std::string then;
  } rows[] = {
      {"", 1, ""},                                                      // none expected
      {R"(451-["a",{"_placeholder":true,"num":0}])", 0, R"(42["a"])"},  // a text in between
      {R"(451-["a",{"_placeholder":true,"num":1}])", 1, ""},
      {R"(451-["a",{"_placeholder":true}])", 1, ""},
      {R"(450-["a"])", 0, ""},
      {R"(4511-["a"])", 0, ""},
      {R"(45["a"])", 0, ""},
  };
  for (const auto& row : rows) {
    RawWebSocket socket = Join();
    if (!row.text.empty()) socket.SendText(row.text);
    for (int i = 0; i < row.binaries; ++i) socket.SendBinary("x");
    if (!row.then.empty()) socket.SendText(row.then);
    EXPECT_EQ(socket.ReadClose(), 1005) << row.text;
  }
}

TEST_F(EventTest, AttachmentsTooLargeTogetherCloseTheConnection) {
  options_.attachments_bytes_max = 8;
  Echo();
  const std::string text =
      R"(452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
  RawWebSocket socket = Join();
  socket.SendText(text);
  socket.SendBinary("1234");
  socket.SendBinary("5678");
  EXPECT_EQ(socket.ReadText(), text);
  EXPECT_EQ(socket.ReadFrame()->payload, "1234");
  EXPECT_EQ(socket.ReadFrame()->payload, "5678");
  socket.SendText(text);
  socket.SendBinary("1234");
  socket.SendBinary("56789");
  EXPECT_EQ(socket.ReadClose(), 1005);
}

TEST_F(EventTest, EventsBeforeABadPacketAreHandled) {
  server().Of("/").On("e", [this](Socket&, const Json& arguments, Ack) { log_.Add(arguments.dump()); });
  server().Of("/").OnDisconnect(
      [this](Socket&, DisconnectReason reason) { log_.Add(std::string(ToString(reason))); });
  RawWebSocket socket = Join();
  socket.SendBytes(tests::FrameBytes(0x81, R"(42["e",1])") + tests::FrameBytes(0x81, "7") +
                   tests::FrameBytes(0x81, R"(42["e",2])"));
  EXPECT_EQ(socket.ReadClose(), 1005);
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "40"), 200);
  EXPECT_EQ(Post(sid,
                 "42[\"e\",3]\x1e"
                 "7\x1e"
                 "42[\"e\",4]"),
            400);
  EXPECT_EQ(log_.WaitFor(4),
            (std::vector<std::string>{"[1]", "parse error", "[3]", "parse error"}));
}

TEST_F(EventTest, AttachmentsThatNeverComeCloseTheConnection) {
  options_.ping_interval = std::chrono::milliseconds(60);
  options_.ping_timeout = std::chrono::milliseconds(60);
  server().Of("/").OnDisconnect(
      [this](Socket&, DisconnectReason reason) { log_.Add(std::string(ToString(reason))); });
  RawWebSocket socket = Join();
  socket.SendText(R"(451-["a",{"_placeholder":true,"num":0}])");
  while (std::optional<RawFrame> frame = socket.ReadFrame()) {
    if (frame->opcode == 8) break;
    socket.SendText("3");
  }
  EXPECT_EQ(log_.WaitFor(1).at(0), "parse error");
}

TEST_F(EventTest, AnEncodedEventReachesEverySocketInItsNamespace) {
  const EncodedEvent event = EncodedEvent::FromJson("news", R"({"a":1},"b")");
  for (const char* path : {"/", "/n"}) {
    server().Of(path).OnConnect([event](Socket& socket) { socket.Emit(event); });
  }
  RawWebSocket socket = Join();
  EXPECT_EQ(socket.ReadText(), R"(42["news",{"a":1},"b"])");
  socket.SendText("40/n,");
  socket.ReadText();
  EXPECT_EQ(socket.ReadText(), R"(42/n,["news",{"a":1},"b"])");
  const std::string sid = OpenPolling();
  Post(sid, "40");
  const std::string payload = Poll(sid);
  EXPECT_NE(payload.find("\x1e"
                         R"(42["news",{"a":1},"b"])"),
            std::string::npos)
      << payload;
}

TEST_F(EventTest, OfSeveralVolatileEventsInOneTurnTheFirstGoesOut) {
  server().Of("/").On("burst", [](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 5; ++i) socket.EmitVolatile("volatile", Json::array({i}));
    socket.Emit("end", Json::array());
  });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["burst"])");
  EXPECT_EQ(socket.ReadText(), R"(42["volatile",0])");
  EXPECT_EQ(socket.ReadText(), R"(42["end"])");
}

TEST_F(EventTest, AVolatileEventIsDroppedWholeWhenNoPollIsThere) {
  server().Of("/").On("volatile", [](Socket& socket, const Json&, Ack) {
    socket.EmitVolatile("volatile", Json::array({Json::binary({1})}));
  });
  Echo();
  const std::string sid = OpenPolling();
  Post(sid, "40");
  Poll(sid);
  EXPECT_EQ(Post(sid, R"(42["volatile"])"), 200);
  EXPECT_EQ(Post(sid, R"(42["echo"])"), 200);
  EXPECT_EQ(Poll(sid), R"(42["echo"])");
  tests::RawTcp poll(port());
  tests::Send(poll, {"GET", PollTarget(sid), {}, ""});
  // The answer to a later request of the session says that the poll is there.
  EXPECT_EQ(Post(sid, "3"), 200);
  EXPECT_EQ(Post(sid, R"(42["volatile"])"), 200);
  EXPECT_EQ(ReadResponse(poll).body, R"(451-["volatile",{"_placeholder":true,"num":0}])"
                                     "\x1e"
                                     "bAQ==");
}

TEST_F(EventTest, AVolatileEventIsDroppedWhileAWebSocketTakesNoMore) {
  server().Of("/").On("fill", [this](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 12; ++i) socket.Emit("big", Json::array({std::string(1'000'000, 'x')}));
    log_.Add("filled");
  });
  server().Of("/").On("volatile", [this](Socket& socket, const Json&, Ack) {
    socket.EmitVolatile("volatile", Json::array());
    log_.Add("dropped");
  });
  Echo();
  RawWebSocket socket = Join();
  socket.SendText(R"(42["fill"])");
  EXPECT_EQ(log_.WaitFor(1).back(), "filled");
  socket.SendText(R"(42["volatile"])");
  EXPECT_EQ(log_.WaitFor(2).back(), "dropped");
  for (int i = 0; i < 12; ++i) EXPECT_GT(socket.ReadText().size(), 1'000'000u);
  ExpectEcho(socket);
}

TEST_F(EventTest, AQueueThatDrainsIsTold) {
  server().Of("/").On("fill", [this](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 8; ++i) {
      socket.Emit("big", Json::array({std::string(1'000'000, 'x')}));
    }
    EXPECT_GT(socket.queued_bytes(), 8'000'000u);
    socket.AwaitDrain(50'000);
    socket.AwaitDrain(100'000);
    log_.Add("filled");
  });
  server().Of("/").OnDrained([this](Socket& socket) {
    EXPECT_LE(socket.queued_bytes(), 100'000u);
    log_.Add("drained");
  });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["fill"])");
  EXPECT_EQ(log_.WaitFor(1).back(), "filled");
  for (int i = 0; i < 8; ++i) EXPECT_GT(socket.ReadText().size(), 1'000'000u);
  EXPECT_EQ(log_.WaitFor(2).back(), "drained");
}

TEST_F(EventTest, AQueueThatIsShortEnoughIsToldInALaterTurnAndOnce) {
  server().Of("/").On("wait", [this](Socket& socket, const Json&, Ack) {
    socket.AwaitDrain(0);
    log_.Add("asked");
  });
  server().Of("/").On("end", [this](Socket&, const Json&, Ack) { log_.Add("end"); });
  server().Of("/").OnDrained([this](Socket&) { log_.Add("drained"); });
  const std::string sid = OpenPolling();
  Post(sid, "40");
  Poll(sid);
  Post(sid, R"(42["wait"])");
  EXPECT_EQ(log_.WaitFor(2), (std::vector<std::string>{"asked", "drained"}));
  Post(sid, R"(42["end"])");
  EXPECT_EQ(log_.WaitFor(3).back(), "end");
}

// Events "a" with a number as their tag.
class DropTest : public EventTest {
 protected:
  static Tag Numbered(int number) { return std::make_shared<const int>(number); }
  static bool IsOdd(const Tag& tag) { return *static_cast<const int*>(tag.get()) % 2 == 1; }
};

TEST_F(DropTest, WhatIsQueuedAndHasATagCanBeDropped) {
  server().Of("/").On("fill", [](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 5; ++i) {
      socket.EmitTagged("a", Json::array({i, Json::binary({1})}), Numbered(i));
    }
    socket.Emit("untagged", Json::array());
    socket.DropQueued(IsOdd);
  });
  const std::string sid = OpenPolling();
  Post(sid, "40");
  Poll(sid);
  Post(sid, R"(42["fill"])");
  const std::string binary = "\x1e" "bAQ==\x1e";
  const auto event = [&](int i) {
    return "451-[\"a\"," + std::to_string(i) + R"(,{"_placeholder":true,"num":0}])" + binary;
  };
  EXPECT_EQ(Poll(sid), event(0) + event(2) + event(4) + R"(42["untagged"])");
}

// A client that does not read: the first event has begun to leave, so it stays, whole.
TEST_F(DropTest, WhatHasBegunToLeaveStays) {
  server().Of("/").On("fill", [](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 4; ++i) {
      socket.EmitTagged("a", Json::array({i, std::string(4'000'000, 'x')}), Numbered(i));
    }
    socket.thread().Post([weak = socket.weak_from_this()] {
      const std::shared_ptr<Socket> self = weak.lock();
      self->DropQueued([](const Tag&) { return true; });
      self->Emit("end", Json::array());
    });
  });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["fill"])");
  EXPECT_EQ(socket.ReadText().substr(0, 8), R"(42["a",0)");
  std::string text = socket.ReadText();
  while (text.substr(0, 6) == R"(42["a")") text = socket.ReadText();
  EXPECT_EQ(text, R"(42["end"])");
}

TEST_F(EventTest, ASlowConsumerIsCutOff) {
  options_.queue_bytes_max = 1'000'000;
  server().Of("/").On("fill", [this](Socket& socket, const Json&, Ack) {
    for (int i = 0; i < 20 && socket.connected(); ++i) {
      socket.Emit("big", Json::array({std::string(100'000, 'x')}));
    }
  });
  server().Of("/").OnDisconnect(
      [this](Socket&, DisconnectReason reason) { log_.Add(std::string(ToString(reason))); });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["fill"])");
  EXPECT_EQ(log_.WaitFor(1).at(0), "slow consumer");
}

}  // namespace
}  // namespace sessioncast::socketio
