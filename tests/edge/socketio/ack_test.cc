// Acknowledgements, both ways.
#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawWebSocket;

class AckTest : public ServerTest {
 protected:
  // On "ask", asks the client, and logs what comes of it.
  void Ask(std::chrono::milliseconds timeout) {
    server().Of("/").On("ask", [this, timeout](Socket& socket, const Json&, Ack) {
      socket.EmitWithAck(
          "question", Json::array({1}), timeout,
          [this](absl::Status status, const Json& arguments) {
            log_.Add(status.ok() ? arguments.dump() : absl::StatusCodeToString(status.code()));
          });
    });
  }
};

TEST_F(AckTest, AnEventWithAnIdIsAcknowledgedOnce) {
  server().Of("/").On("e", [](Socket&, const Json& arguments, Ack ack) {
    Ack copy = ack;
    EXPECT_TRUE(ack.wanted());
    ack(arguments);
    ack(Json::array({"again"}));
  });
  Echo();
  RawWebSocket socket = Join();
  socket.SendText(R"(427["e",1,"x"])");
  EXPECT_EQ(socket.ReadText(), R"(437[1,"x"])");
  socket.SendText(R"(42007["e"])");
  EXPECT_EQ(socket.ReadText(), "437[]");
  ExpectEcho(socket);
}

TEST_F(AckTest, AnEventWithoutAnIdWantsNone) {
  server().Of("/").On("e", [](Socket& socket, const Json&, Ack ack) {
    EXPECT_FALSE(ack.wanted());
    ack(Json::array({1}));
    socket.Emit("done", Json::array());
  });
  RawWebSocket socket = Join();
  socket.SendText(R"(42["e"])");
  EXPECT_EQ(socket.ReadText(), R"(42["done"])");
}

TEST_F(AckTest, AnAckMayCarryBinaryAndComeFromAnyNamespace) {
  server().Of("/n").On("e", [](Socket&, const Json& arguments, Ack ack) { ack(arguments); });
  RawWebSocket socket = Open();
  socket.SendText("40/n,");
  socket.ReadText();
  socket.SendText(R"(451-/n,3["e",{"_placeholder":true,"num":0}])");
  socket.SendBinary("\x09");
  EXPECT_EQ(socket.ReadText(), R"(461-/n,3[{"_placeholder":true,"num":0}])");
  EXPECT_EQ(socket.ReadFrame()->payload, "\x09");
}

TEST_F(AckTest, AnAckAfterTheSocketLeftIsDropped) {
  server().Of("/").On("e", [](Socket& socket, const Json&, Ack ack) {
    socket.Disconnect();
    ack(Json::array());
  });
  Echo();
  RawWebSocket socket = Join();
  socket.SendText(R"(420["e"])");
  EXPECT_EQ(socket.ReadText(), "41");
  socket.SendText("40");
  EXPECT_EQ(socket.ReadText().substr(0, 9), "40{\"sid\":");
}

TEST_F(AckTest, TheClientsAckReachesWhoAsked) {
  Ask(std::chrono::seconds(10));
  RawWebSocket socket = Join();
  socket.SendText(R"(42["ask"])");
  EXPECT_EQ(socket.ReadText(), R"(420["question",1])");
  socket.SendText(R"(430["yes",2])");
  EXPECT_EQ(log_.WaitFor(1).at(0), R"(["yes",2])");
  socket.SendText(R"(42["ask"])");
  EXPECT_EQ(socket.ReadText(), R"(421["question",1])");
}

TEST_F(AckTest, TheClientsAckMayCarryBinary) {
  Ask(std::chrono::seconds(10));
  RawWebSocket socket = Join();
  socket.SendText(R"(42["ask"])");
  EXPECT_EQ(socket.ReadText(), R"(420["question",1])");
  socket.SendText(R"(461-0[{"_placeholder":true,"num":0}])");
  socket.SendBinary("\x09");
  EXPECT_EQ(log_.WaitFor(1).at(0), Json::array({Json::binary({9})}).dump());
}

TEST_F(AckTest, UnknownAndLateAcksAreIgnored) {
  Ask(std::chrono::milliseconds(20));
  Echo();
  RawWebSocket socket = Join();
  socket.SendText("43[]");
  socket.SendText("4399[]");
  socket.SendText(R"(42["ask"])");
  EXPECT_EQ(socket.ReadText(), R"(420["question",1])");
  EXPECT_EQ(log_.WaitFor(1).at(0), "DEADLINE_EXCEEDED");
  socket.SendText("430[]");
  ExpectEcho(socket);
  EXPECT_EQ(log_.WaitFor(1).size(), 1u);
}

TEST_F(AckTest, AnAckThatIsOutstandingWhenTheClientGoesIsUnavailable) {
  Ask(std::chrono::seconds(10));
  RawWebSocket socket = Join();
  socket.SendText(R"(42["ask"])");
  socket.ReadText();
  socket.SendText("1");
  EXPECT_EQ(log_.WaitFor(1).at(0), "UNAVAILABLE");
}

TEST_F(AckTest, MoreAcknowledgementsThanTheLimitAreNotAwaited) {
  options_.awaited_acks_max = 2;
  server().Of("/").OnConnect([this](Socket& socket) {
    for (int i = 0; i < 3; ++i) {
      socket.EmitWithAck("ask", Json::array({i}), std::chrono::seconds(30),
                         [this, i](absl::Status status, const Json&) {
                           log_.Add(std::to_string(i) + (status.ok() ? " answered" : " refused"));
                         });
    }
  });
  RawWebSocket socket = Join();
  EXPECT_EQ(socket.ReadText(), R"(420["ask",0])");
  EXPECT_EQ(socket.ReadText(), R"(421["ask",1])");
  EXPECT_EQ(log_.WaitFor(1), std::vector<std::string>{"2 refused"});
  socket.SendText("430[]");
  EXPECT_EQ(log_.WaitFor(2).at(1), "0 answered");
}

}  // namespace
}  // namespace sessioncast::socketio
