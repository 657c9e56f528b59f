// Engine.IO over WebSocket: packets, frames that break, and how a connection ends.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::FrameBytes;
using tests::RawFrame;
using tests::RawWebSocket;

class WebSocketTest : public EngineTest {
 protected:
  WebSocketTest() { options_.connection.frames.message_bytes_max = 1'000; }

  // Opened, and the open packet read.
  RawWebSocket Open() {
    RawWebSocket socket(port(), kWebSocket);
    EXPECT_EQ(socket.response().status, 101);
    EXPECT_EQ(socket.ReadText().substr(0, 1), "0");
    return socket;
  }
  void ExpectEcho(RawWebSocket& socket, const std::string& text) {
    socket.SendText("4" + text);
    EXPECT_EQ(socket.ReadText(), "4" + text);
  }
};

TEST_F(WebSocketTest, MessagesGoBothWays) {
  RawWebSocket socket = Open();
  ExpectEcho(socket, "hello");
  ExpectEcho(socket, std::string(200, 'x'));
  socket.SendBinary(std::string_view("\x01\x02\x00\x03", 4));
  const std::optional<RawFrame> binary = socket.ReadFrame();
  ASSERT_TRUE(binary);
  EXPECT_EQ(binary->opcode, 2);
  EXPECT_EQ(binary->payload, std::string("\x01\x02\x00\x03", 4));
  socket.SendBinary("");
  EXPECT_EQ(socket.ReadFrame()->opcode, 2);
}

TEST_F(WebSocketTest, APayloadIsOneMessageAndBase64IsBinary) {
  RawWebSocket socket = Open();
  ExpectEcho(socket,
             "a\x1e"
             "4b");
  socket.SendText("bAQID");
  EXPECT_EQ(socket.ReadFrame()->payload, "\x01\x02\x03");
}

TEST_F(WebSocketTest, LargeMessagesLeaveWholeToASlowReader) {
  RawWebSocket socket = Open();
  for (int i = 0; i < 8; ++i) socket.SendText("4big");
  socket.SendText("4end");
  for (int i = 0; i < 8; ++i) EXPECT_EQ(socket.ReadText().size(), 1'000'001u) << i;
  EXPECT_EQ(socket.ReadText(), "4end");
}

TEST_F(WebSocketTest, WhatIsNoPacketClosesWithoutACode) {
  for (const char* bad : {"", "7", "a", "2", "2probe", "0", "6", "b###"}) {
    RawWebSocket socket = Open();
    socket.SendText(bad);
    EXPECT_EQ(socket.ReadClose(), 1005) << bad;
    EXPECT_TRUE(socket.tcp().ReadsEnd());
  }
  for (const DisconnectReason reason : closes_.WaitFor(8)) {
    EXPECT_EQ(ToString(reason), "parse error");
  }
}

TEST_F(WebSocketTest, PongsAndUpgradesOutOfTurnAreAccepted) {
  RawWebSocket socket = Open();
  for (const char* text : {"3", "3xyz", "5"}) socket.SendText(text);
  ExpectEcho(socket, "still here");
}

TEST_F(WebSocketTest, AnEmptyCloseFrameIsAnsweredByOne) {
  RawWebSocket socket = Open();
  socket.SendBytes(FrameBytes(0x88, ""));
  EXPECT_TRUE(socket.tcp().ReadsEnd());
  EXPECT_EQ(socket.tcp().buffer(), std::string("\x88\0", 2));
}

TEST_F(WebSocketTest, AClosePacketEndsTheConnection) {
  RawWebSocket socket = Open();
  socket.SendBytes(FrameBytes(0x81, "1") + FrameBytes(0x81, "4late"));
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "transport close");
}

TEST_F(WebSocketTest, ACloseFrameIsEchoed) {
  const struct {
    std::string payload;
    uint16_t code;
  } rows[] = {{"", 1005}, {"\x03\xE8", 1000}, {"\x0F\xA1why", 4001}};
  for (const auto& row : rows) {
    RawWebSocket socket = Open();
    socket.SendBytes(FrameBytes(0x88, row.payload));
    EXPECT_EQ(socket.ReadClose(), row.code);
    EXPECT_TRUE(socket.tcp().ReadsEnd());
  }
  EXPECT_EQ(ToString(closes_.WaitFor(3).at(2)), "transport close");
}

TEST_F(WebSocketTest, FramesThatBreakAreClosedWithTheirCode) {
  const struct {
    const char* what;
    std::string bytes;
    uint16_t code;
  } rows[] = {
      {"unmasked",
       std::string("\x81\x01"
                   "4",
                   3),
       1002},
      {"RSV1", FrameBytes(0xC1, "4"), 1002},
      {"RSV2", FrameBytes(0xA1, "4"), 1002},
      {"RSV3", FrameBytes(0x91, "4"), 1002},
      {"opcode 3", FrameBytes(0x83, "4"), 1002},
      {"opcode 11", FrameBytes(0x8B, "4"), 1002},
      {"continuation", FrameBytes(0x80, "4"), 1002},
      {"a message inside another", FrameBytes(0x01, "4") + FrameBytes(0x81, "4"), 1002},
      {"a fragmented ping", FrameBytes(0x09, "p"), 1002},
      {"a long ping", FrameBytes(0x89, std::string(126, 'p')), 1002},
      {"close with half a code", FrameBytes(0x88, "\x03"), 1002},
      {"close 999", FrameBytes(0x88, "\x03\xE7"), 1002},
      {"close 1005", FrameBytes(0x88, "\x03\xED"), 1002},
      {"close 5000", FrameBytes(0x88, "\x13\x88"), 1002},
      {"bad UTF-8", FrameBytes(0x81, "4\xFF"), 1007},
      {"bad UTF-8 before the message ends", FrameBytes(0x01, "4\xFF"), 1007},
      {"bad UTF-8 in a close", FrameBytes(0x88, "\x03\xE8\xFF"), 1007},
      {"2^40 declared", std::string("\x82\xFF\0\0\x01\0\0\0\0\0abcd", 14), 1009},
      {"2^53 declared", std::string("\x82\xFF\0\x20\0\0\0\0\0\0abcd", 14), 1009},
      {"fragments too large together",
       FrameBytes(0x01, "4" + std::string(600, 'x')) + FrameBytes(0x80, std::string(600, 'x')),
       1009},
      {"one byte too much", FrameBytes(0x81, "4" + std::string(1'000, 'x')), 1009},
  };
  RawWebSocket beside = Open();
  for (const auto& row : rows) {
    RawWebSocket socket = Open();
    socket.SendBytes(row.bytes);
    EXPECT_EQ(socket.ReadClose(), row.code) << row.what;
    ExpectEcho(beside, "unharmed");
  }
  for (const DisconnectReason reason : closes_.WaitFor(std::size(rows))) {
    EXPECT_EQ(ToString(reason), "transport error");
  }
}

TEST_F(WebSocketTest, FramesThatAreOddButLegalAreAccepted) {
  RawWebSocket socket = Open();
  // A letter that is cut in two, behind nothing, and a length in more bytes than it needs.
  socket.SendBytes(FrameBytes(0x01, "") + FrameBytes(0x00, "4\xC3") + FrameBytes(0x80, "\xB6"));
  EXPECT_EQ(socket.ReadText(), "4\xC3\xB6");
  socket.SendBytes(
      std::string("\x81\xFE\0\x02\0\0\0\0"
                  "4a",
                  10));
  EXPECT_EQ(socket.ReadText(), "4a");
  socket.SendBytes(
      std::string("\x81\xFF\0\0\0\0\0\0\0\x02\0\0\0\0"
                  "4b",
                  16));
  EXPECT_EQ(socket.ReadText(), "4b");
}

TEST_F(WebSocketTest, AMessageOfExactlyTheLimitIsAccepted) {
  RawWebSocket socket = Open();
  ExpectEcho(socket, std::string(999, 'x'));
}

TEST_F(WebSocketTest, TenThousandFragmentsAreTooMany) {
  RawWebSocket socket = Open();
  std::string bytes = FrameBytes(0x01, "4");
  for (int i = 0; i < 10'000; ++i) bytes += FrameBytes(0x00, "");
  socket.SendBytes(bytes);
  EXPECT_EQ(socket.ReadClose(), 1008);
}

TEST_F(WebSocketTest, PingFramesAreAnsweredAlsoInsideFragments) {
  RawWebSocket socket = Open();
  socket.SendBytes(FrameBytes(0x01, "4a") + FrameBytes(0x89, std::string(125, 'p')) +
                   FrameBytes(0x8A, "unasked") + FrameBytes(0x80, "b"));
  const std::optional<RawFrame> pong = socket.ReadFrame();
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, 0xA);
  EXPECT_EQ(pong->payload, std::string(125, 'p'));
  EXPECT_EQ(socket.ReadText(), "4ab");
}

TEST_F(WebSocketTest, AFloodOfPingsIsClosed) {
  RawWebSocket socket = Open();
  std::string bytes;
  for (int i = 0; i < 2'000; ++i) bytes += FrameBytes(0x89, "");
  socket.SendBytes(bytes);
  EXPECT_EQ(socket.ReadClose(), 1008);
}

TEST_F(WebSocketTest, PongsDoNotBreakIntoAFrameThatIsOnItsWay) {
  RawWebSocket socket = Open();
  for (int i = 0; i < 8; ++i) {
    socket.SendText("4big");
    socket.SendBytes(FrameBytes(0x89, "p"));
  }
  int texts = 0;
  int pongs = 0;
  while (texts < 8 || pongs < 8) {
    const std::optional<RawFrame> frame = socket.ReadFrame();
    ASSERT_TRUE(frame);
    if (frame->opcode == 0xA) {
      ++pongs;
      EXPECT_EQ(frame->payload, "p");
    } else {
      ++texts;
      EXPECT_EQ(frame->payload.size(), 1'000'001u);
    }
  }
}

TEST_F(WebSocketTest, TheServersCloseSendsWhatIsQueuedFirst) {
  RawWebSocket socket = Open();
  socket.SendBytes(FrameBytes(0x81, "4big") + FrameBytes(0x81, "4close") +
                   FrameBytes(0x81, "4late"));
  EXPECT_EQ(socket.ReadText().size(), 1'000'001u);
  const std::optional<RawFrame> close = socket.ReadFrame();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->opcode, 8);
  EXPECT_EQ(close->close_code(), 1005);
  EXPECT_TRUE(socket.tcp().ReadsEnd());
}

TEST_F(WebSocketTest, WhoPassesALimitIsClosedWith1008) {
  RawWebSocket socket = Open();
  socket.SendText("4limit");
  EXPECT_EQ(socket.ReadClose(), 1008);
}

TEST_F(WebSocketTest, ALostTcpConnectionEndsTheConnection) {
  {
    RawWebSocket socket = Open();
    socket.tcp().Close();
    EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "transport close");
  }
  RawWebSocket socket = Open();
  socket.SendBytes(FrameBytes(0x81, "4abc").substr(0, 4));
  socket.tcp().Reset();
  ASSERT_EQ(closes_.WaitFor(2).size(), 2u);
  EXPECT_EQ(engine_->connections(), 0u);
}

TEST_F(WebSocketTest, ASlowConsumerIsCutOff) {
  options_.connection.queue_bytes_max = 20'000'000;
  RawWebSocket socket = Open();
  for (int i = 0; i < 60; ++i) {
    if (!socket.SendText("4big")) break;
  }
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "slow consumer");
}

TEST_F(WebSocketTest, AConsumerThatTakesNothingForTooLongIsCutOff) {
  options_.connection.write_timeout = std::chrono::milliseconds(50);
  RawWebSocket socket = Open();
  for (int i = 0; i < 12; ++i) socket.SendText("4big");
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "slow consumer");
}

TEST_F(WebSocketTest, AfterTheHandshakeItsSidIsNothingForPolling) {
  RawWebSocket socket(port(), kWebSocket);
  const std::string sid = SidOf(socket.ReadText());
  EXPECT_EQ(Poll(sid).body, R"({"code":3,"message":"Bad request"})");
  EXPECT_EQ(Get(UpgradeTarget(sid)).body, R"({"code":3,"message":"Bad request"})");
  RawWebSocket second(port(), UpgradeTarget(sid));
  EXPECT_EQ(second.response().status, 101);
  EXPECT_EQ(second.ReadClose(), 1005);
  ExpectEcho(socket, "unharmed");
}

TEST_F(WebSocketTest, StoppingTheEngineClosesWebSockets) {
  RawWebSocket socket = Open();
  engine_->Stop();
  EXPECT_EQ(socket.ReadClose(), 1005);
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "server shutting down");
}

}  // namespace
}  // namespace sessioncast::engineio
