// What a packet of a client may be, as a client sees it: the connection goes on, or it is closed.
#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawWebSocket;

class DecoderTest : public ServerTest {};

TEST_F(DecoderTest, WhatIsNoPacketClosesTheConnection) {
  Echo();
  RawWebSocket beside = Join();
  const std::string deep = R"(2["echo",)" + std::string(16'000, '[');
  const std::vector<std::string> packets = {"",
                                            "7",
                                            "a",
                                            " ",
                                            "0[]",
                                            "0null",
                                            "0\"a\"",
                                            "0{",
                                            "0custom,",
                                            "1{}",
                                            "1[]",
                                            "2",
                                            "2[]",
                                            "2{}",
                                            "2[null]",
                                            "2[{}]",
                                            R"(2[["a"]])",
                                            R"(2["connect"])",
                                            R"(2["connect_error"])",
                                            R"(2["disconnect"])",
                                            R"(2["disconnecting"])",
                                            R"(2["newListener"])",
                                            R"(2["removeListener"])",
                                            R"(2abc["a"])",
                                            R"(2-1["a"])",
                                            R"(21.5["a"])",
                                            R"(2e1["a"])",
                                            R"(29007199254740992["a"])",
                                            R"(2["a"]x)",
                                            R"(2["a",NaN])",
                                            R"(2["a",1e999])",
                                            R"(2["a","\ud800"])",
                                            "3{}",
                                            "30",
                                            R"(4{"message":"x"})",
                                            R"(5["a"])",
                                            R"(50-["a"])",
                                            R"(5-1-["a"])",
                                            R"(501-["a"])",
                                            R"(51.0-["a"])",
                                            R"(50x1-["a"])",
                                            R"(5+1-["a"])",
                                            R"(511-["a"])",
                                            R"(51["a"])",
                                            deep};
  for (const std::string& packet : packets) {
    RawWebSocket socket = Join();
    socket.SendText("4" + packet);
    EXPECT_EQ(socket.ReadClose(), 1005) << packet.substr(0, 40);
  }
  ExpectEcho(beside);
}

TEST_F(DecoderTest, WhatIsAPacketLeavesItOpen) {
  Echo();
  server().Of("/").On("ask", [](Socket&, const Json& arguments, Ack ack) { ack(arguments); });
  for (const char* packet :
       {R"(2["error"])", R"(2["connection"])", R"(2["__proto__"])", R"(2[1,"x"])", "2[1.5]", "3[]",
        "399[]", R"(2 ["a"] )", R"(2["a",{"_placeholder":true,"num":5}])", "0/n,1{}", "0/nowhere",
        "0/echo?token=1,"}) {
    RawWebSocket socket = Join();
    socket.SendText(std::string("4") + packet);
    if (packet[0] == '0') {
      EXPECT_EQ(socket.ReadText().substr(0, 3), "44/") << packet;
    }
    ExpectEcho(socket);
  }
  RawWebSocket socket = Join();
  socket.SendText(R"(42007["ask"])");
  EXPECT_EQ(socket.ReadText(), "437[]");
  socket.SendText(R"(429007199254740991["ask"])");
  EXPECT_EQ(socket.ReadText(), "439007199254740991[]");
}

TEST_F(DecoderTest, PlaceholdersOutsideTheRulesCloseTheConnection) {
  for (const char* number : {"1", "-1", "0.5", "\"0\"", "null"}) {
    RawWebSocket socket = Join();
    socket.SendText(std::string(R"(451-["a",{"_placeholder":true,"num":)") + number + "}]");
    socket.SendBinary("x");
    EXPECT_EQ(socket.ReadClose(), 1005) << number;
  }
}

TEST_F(DecoderTest, PlaceholdersMayNameOneAttachmentTwiceOrNone) {
  Echo();
  RawWebSocket socket = Join();
  socket.SendText(
      R"(452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"_placeholder":false}])");
  socket.SendBinary("x");
  socket.SendBinary("unused");
  EXPECT_EQ(
      socket.ReadText(),
      R"(452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":false}])");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(socket.ReadFrame()->payload, "x");
}

}  // namespace
}  // namespace sessioncast::socketio
