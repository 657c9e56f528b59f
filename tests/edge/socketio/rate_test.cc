// How often a client may send something: at the limit, past it, and when it goes on.
#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawWebSocket;

class RateLimitTest : public ServerTest {
 protected:
  RateLimitTest() {
    // So slow that the time which a test takes grants nothing.
    options_.message_rate = {.name = "messages", .per_s_max = 1, .burst_max = 120};
    options_.event_rates["join"] = {.name = "joins", .per_s_max = 1, .burst_max = 30};
    for (const char* event : {"echo", "join"}) {
      server().Of("/").On(event, [event](Socket& socket, const Json& arguments, Ack ack) {
        if (!ack.wanted()) socket.Emit(event, arguments);
        ack(arguments);
      });
    }
    server().Of("/").OnOverRate([](Socket& socket, const RateLimit& passed, Ack ack) {
      socket.Emit("refused", Json::array({passed.name}));
      ack(Json::array({"refused"}));
    });
    server().Of("/").OnDisconnect(
        [this](Socket&, DisconnectReason reason) { log_.Add(std::string(ToString(reason))); });
  }

  static void SendAll(RawWebSocket& socket, const std::string& text, int count) {
    for (int i = 0; i < count; ++i) socket.SendText(text);
  }
  static void ExpectAll(RawWebSocket& socket, const std::string& text, int count) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(socket.ReadText(), text) << "number " << i;
  }
  // Those that are granted while it sends, more than the burst, are few.
  static int CountUntilRefused(RawWebSocket& socket, const std::string& text) {
    int count = 0;
    while (socket.ReadText() == text) ++count;
    return count;
  }
};

TEST_F(RateLimitTest, TheBurstIsHandledAndWhatComesAfterItRefused) {
  RawWebSocket socket = Join();  // the CONNECT counts
  SendAll(socket, R"(42["echo",1])", 119);
  ExpectAll(socket, R"(42["echo",1])", 119);
  SendAll(socket, R"(42["echo",1])", 30);
  EXPECT_LE(CountUntilRefused(socket, R"(42["echo",1])"), 10);
}

TEST_F(RateLimitTest, ARefusalIsAnAcknowledgementToo) {
  RawWebSocket socket = Join();
  SendAll(socket, R"(42["echo",1])", 119);
  ExpectAll(socket, R"(42["echo",1])", 119);
  for (int tries = 0; tries < 20; ++tries) {
    socket.SendText(R"(421["echo",1])");
    const std::string answer = socket.ReadText();
    if (answer == "431[1]") continue;  // a second had passed
    EXPECT_EQ(answer, R"(42["refused","messages"])");
    EXPECT_EQ(socket.ReadText(), R"(431["refused"])");
    return;
  }
  FAIL() << "nothing was refused";
}

TEST_F(RateLimitTest, AnEventWithARateOfItsOwnIsNoMessage) {
  RawWebSocket socket = Join();
  SendAll(socket, R"(42["join",1])", 30);
  ExpectAll(socket, R"(42["join",1])", 30);
  SendAll(socket, R"(42["echo",1])", 119);
  ExpectAll(socket, R"(42["echo",1])", 119);
}

TEST_F(RateLimitTest, WhoGoesOnIsClosedWith1008) {
  RawWebSocket socket = Join();
  SendAll(socket, R"(42["join",1])", 90);
  EXPECT_EQ(socket.ReadClose(), 1008);
  EXPECT_EQ(log_.WaitFor(1), (std::vector<std::string>{"limit"}));
}

TEST_F(RateLimitTest, UnknownEventsAcknowledgementsAndConnectsCount) {
  for (const char* text : {R"(42["no_such_event"])", "430[]", "40/custom,"}) {
    RawWebSocket socket = Join();
    SendAll(socket, text, 300);
    EXPECT_EQ(socket.ReadClose(), 1008) << text;
  }
}

TEST_F(RateLimitTest, ByPollingThePollIsToldTheEnd) {
  std::string body = "40";
  for (int i = 0; i < 300; ++i) body += "\x1e" R"(42["no_such_event"])";
  EXPECT_EQ(Post(OpenPolling(), body), 200);
  EXPECT_EQ(log_.WaitFor(1), (std::vector<std::string>{"limit"}));
}

TEST_F(RateLimitTest, WithoutRatesAClientMaySendAsMuchAsItLikes) {
  options_.message_rate = {};
  options_.event_rates.clear();
  server_ = nullptr;
  Echo();
  RawWebSocket socket = Join();
  SendAll(socket, R"(42["echo",1])", 1'000);
  ExpectAll(socket, R"(42["echo",1])", 1'000);
}

}  // namespace
}  // namespace sessioncast::socketio
