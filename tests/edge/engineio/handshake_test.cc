// Handshakes, and what is refused: the order of checks, codes and bodies.
#include <set>

#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::Fetch;
using tests::RawResponse;
using tests::RawWebSocket;

class HandshakeTest : public EngineTest {
 protected:
  static std::string Body(int code, const std::string& message) {
    return "{\"code\":" + std::to_string(code) + ",\"message\":\"" + message + "\"}";
  }
  void ExpectError(const RawResponse& response, int code, const std::string& message) {
    EXPECT_EQ(response.status, code == 4 ? 403 : 400);
    EXPECT_EQ(response.body, Body(code, message));
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
  }
};

TEST_F(HandshakeTest, PollingIsAnsweredWithTheOpenPacket) {
  const RawResponse response = Get(kPolling);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("content-type"), "text/plain; charset=UTF-8");
  EXPECT_EQ(response.headers.at("cache-control"), "no-store");
  const std::string sid = SidOf(response.body);
  EXPECT_EQ(response.body, "0{\"sid\":\"" + sid +
                               "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                               "\"pingTimeout\":20000,\"maxPayload\":1000000}");
  EXPECT_EQ(
      sid.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST_F(HandshakeTest, WebSocketIsAnsweredWithTheOpenPacketThatOffersNoUpgrade) {
  RawWebSocket socket(port(), kWebSocket);
  EXPECT_EQ(socket.response().status, 101);
  EXPECT_EQ(socket.response().headers.at("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_NE(socket.ReadText().find("\"upgrades\":[]"), std::string::npos);
}

TEST_F(HandshakeTest, TheResponseAndTheOpenPacketOfAWebSocketComeTogether) {
  tests::RawTcp tcp(port());
  tests::Send(tcp, {"GET",
                    kWebSocket,
                    {{"Connection", "Upgrade"},
                     {"Upgrade", "websocket"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}},
                    ""});
  ASSERT_TRUE(tcp.ReadSome());
  EXPECT_NE(tcp.buffer().find("101 Switching"), std::string::npos);
  EXPECT_NE(tcp.buffer().find("maxPayload"), std::string::npos);
}

TEST_F(HandshakeTest, SidsAreDistinct) {
  std::set<std::string> sids;
  for (int i = 0; i < 50; ++i) sids.insert(OpenPolling());
  EXPECT_EQ(sids.size(), 50u);
  EXPECT_EQ(engine_->connections(), 50u);
}

TEST_F(HandshakeTest, ASidEndsInTheSuffixAndOnlyAsAWholeIsKnown) {
  options_.sid_suffix = "edge-1_B90123456";
  const std::string sid = OpenPolling();
  const std::string opened = Get(kPolling).body;
  const size_t begin = opened.find("\"sid\":\"") + 7;
  const std::string whole = opened.substr(begin, opened.find('"', begin) - begin);
  EXPECT_EQ(whole.substr(20), ".edge-1_B90123456");
  EXPECT_EQ(Post(whole, "4hello").body, "ok");
  EXPECT_EQ(Poll(whole).body, "4hello");
  EXPECT_TRUE(IsGone(sid));
  EXPECT_TRUE(IsGone(whole + "7"));
  EXPECT_TRUE(IsGone(whole.substr(0, 20) + ".edge-1_B90123457"));
  RawWebSocket socket(port(), UpgradeTarget(whole));
  EXPECT_EQ(socket.response().status, 101);
}

TEST_F(HandshakeTest, ASuffixThatCannotBeInASidIsRefusedAtTheStart) {
  for (const char* suffix : {"a.b", "a b", "a&b", "\xc3\xa4", "12345678901234567"}) {
    options_.sid_suffix = suffix;
    const absl::Status status = Engine(options_).Start();
    EXPECT_EQ(status.message(), "sid_suffix: at most 16 of A-Z, a-z, 0-9, -, _") << suffix;
  }
}

TEST_F(HandshakeTest, UnknownTransportsAreCodeZero) {
  for (const char* query : {"", "?EIO=4", "?EIO=4&transport=abc", "?EIO=4&transport=webtransport",
                            "?EIO=4&transport=__proto__", "?EIO=4&transport=constructor",
                            "?EIO=4&transport[]=polling", "?transport=tobi&EIO=3"}) {
    ExpectError(Get(std::string("/engine.io/") + query), 0, "Transport unknown");
  }
}

TEST_F(HandshakeTest, UnknownSidsAreCodeOne) {
  for (const std::string& sid :
       {std::string("abc"), std::string("__proto__"), std::string(4096, 'a'),
        std::string("AAAAAAAAAAAAAAAAAAAA"), std::string("%ff")}) {
    ExpectError(Get(PollTarget(sid)), 1, "Session ID unknown");
  }
}

TEST_F(HandshakeTest, OtherMethodsThanGetAreCodeTwo) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"}) {
    ExpectError(Fetch(port(), {method, kPolling, {}, ""}), 2, "Bad handshake method");
  }
  tests::RawTcp tcp(port());
  tests::Send(tcp, {"HEAD", kPolling, {}, ""});
  ASSERT_TRUE(tcp.ReadSome());
  EXPECT_EQ(tcp.buffer().substr(9, 3), "400");
}

TEST_F(HandshakeTest, WebSocketWithoutUpgradeIsCodeThree) {
  ExpectError(Get(kWebSocket), 3, "Bad request");
  ExpectError(Get("/engine.io/?EIO=4&transport=polling&j=0"), 3, "Bad request");
}

TEST_F(HandshakeTest, OtherRevisionsAreCodeFive) {
  for (const char* query :
       {"?transport=polling", "?EIO=3&transport=polling", "?EIO=5&transport=polling",
        "?EIO=4abc&transport=polling", "?EIO=4&EIO=3&transport=polling"}) {
    ExpectError(Get(std::string("/engine.io/") + query), 5, "Unsupported protocol version");
  }
  EXPECT_EQ(Get("/engine.io/?EIO=3&EIO=4&transport=polling").status, 200);
}

TEST_F(HandshakeTest, TheFirstOfSeveralErrorsIsTold) {
  options_.refusal = [](const HttpRequest& request) -> std::optional<std::string> {
    const bool is_bad = request.target.find("bad=1") != std::string::npos;
    return is_bad ? std::optional<std::string>("no") : std::nullopt;
  };
  const std::string live = OpenPolling();
  const std::string path = "/engine.io/?";
  const std::map<std::string, std::string> malformed = {{"Origin", "http://\x80"}};
  const std::map<std::string, std::string> forbidden = {{"Origin", "http://evil.example"}};
  const struct {
    tests::RawRequest request;
    int code;
    std::string message;
  } rows[] = {
      {{"POST", path + "transport=x&sid=none", malformed, ""}, 0, "Transport unknown"},
      {{"GET", path + "transport=polling&sid=none", malformed, ""}, 3, "Bad request"},
      {{"POST", path + "transport=polling&sid=none", forbidden, ""}, 4, "Forbidden"},
      {{"PUT", path + "EIO=3&transport=websocket&sid=none", {}, ""}, 1, "Session ID unknown"},
      {{"GET", path + "EIO=3&transport=websocket&sid=" + live, {}, ""}, 3, "Bad request"},
      {{"GET", path + "EIO=3&transport=polling&sid=" + live, {}, ""}, 3, "Bad request"},
      {{"POST", path + "EIO=3&transport=websocket&bad=1", {}, ""}, 2, "Bad handshake method"},
      {{"GET", path + "EIO=3&transport=websocket&bad=1", {}, ""}, 3, "Bad request"},
      {{"GET", path + "EIO=3&transport=polling&bad=1", {}, ""}, 4, "no"},
      {{"GET", path + "EIO=3&transport=polling", {}, ""}, 5, "Unsupported protocol version"},
  };
  for (const auto& row : rows) {
    ExpectError(Fetch(port(), row.request), row.code, row.message);
    // The same as a request to upgrade: plain text, always 400.
    if (row.request.method != "GET" || row.message == "Bad request") continue;
    RawWebSocket socket(port(), row.request.target, row.request.headers);
    EXPECT_EQ(socket.response().status, 400);
    EXPECT_EQ(socket.response().headers.at("content-type"), "text/html");
  }
  EXPECT_EQ(Post(live, "4still here").status, 200);
}

TEST_F(HandshakeTest, ParametersAreDecodedAndTheLastOfTwoCounts) {
  for (const char* query :
       {"EIO=4&transport=poll%69ng", "E%49O=%34&transport=polling",
        "EIO=4&transport=x&transport=polling",
        "EIO=4&transport=polling&sid=none&sid=", "EIO=4&transport=polling&unknown=a+b&=&&t=x"}) {
    EXPECT_EQ(Get(std::string("/engine.io/?") + query).status, 200) << query;
  }
  ExpectError(Get("/engine.io/?EIO=4&transport=polling+"), 0, "Transport unknown");
  ExpectError(Get("/engine.io/?EIO=4&transport=polling&transport=x"), 0, "Transport unknown");
  ExpectError(Get("/engine.io/?EIO=+4&transport=polling"), 5, "Unsupported protocol version");
  ExpectError(Get("/engine.io/?EIO=4&transport=polling&sid=&sid=none"), 1, "Session ID unknown");
  const std::string sid = OpenPolling();
  std::string encoded;
  for (const char c : sid) {
    char escape[4];
    std::snprintf(escape, sizeof(escape), "%%%02x", c);
    encoded += escape;
  }
  EXPECT_EQ(Post("none&sid=" + encoded, "4a").body, "ok");
  EXPECT_EQ(Poll(encoded).body, "4a");
}

TEST_F(HandshakeTest, AnEmptySidIsNone) {
  EXPECT_EQ(Get("/engine.io/?EIO=4&transport=polling&sid=").status, 200);
}

TEST_F(HandshakeTest, TheRevisionOfALaterRequestMustBeTheSame) {
  const std::string sid = OpenPolling();
  ExpectError(Get("/engine.io/?EIO=3&transport=polling&sid=" + sid), 3, "Bad request");
  EXPECT_EQ(Post(sid, "4still here").status, 200);
}

TEST_F(HandshakeTest, AnyPathUnderThePrefixIsOurs) {
  EXPECT_EQ(Get("/engine.io/foo?EIO=4&transport=polling").status, 200);
  EXPECT_EQ(Get("/engine.io?EIO=4&transport=polling").status, 404);
  EXPECT_EQ(Get("/engine.iox/?EIO=4&transport=polling").status, 404);
  EXPECT_EQ(Get("/engine.io/../x?EIO=4&transport=polling").status, 404);
  EXPECT_EQ(Get("/engine.io/%2e%2e/?EIO=4&transport=polling").status, 404);
  EXPECT_EQ(Get("/engine.io/%00?EIO=4&transport=polling").status, 404);
}

TEST_F(HandshakeTest, ARefusedUpgradeIsPlainHttp) {
  const struct {
    std::string target;
    std::map<std::string, std::string> headers;
    std::string body;
  } rows[] = {
      {"/engine.io/?EIO=4&transport=tobi", {}, "Transport unknown"},
      {std::string(kWebSocket) + "&sid=AAAAAAAAAAAAAAAAAAAA", {}, "Session ID unknown"},
      {"/engine.io/?EIO=3&transport=websocket", {}, "Unsupported protocol version"},
      {kWebSocket, {{"Origin", "http://evil.example"}}, "Forbidden"},
      {kWebSocket, {{"Origin", "http://\x80"}}, "Bad request"},
      {kPolling, {}, "Bad request"},
  };
  for (const auto& row : rows) {
    RawWebSocket socket(port(), row.target, row.headers);
    EXPECT_EQ(socket.response().status, 400) << row.target;
    EXPECT_EQ(socket.response().body, row.body);
    EXPECT_EQ(socket.response().headers.at("connection"), "close");
    EXPECT_EQ(socket.response().headers.at("content-type"), "text/html");
    EXPECT_TRUE(socket.tcp().ReadsEnd());
  }
}

TEST_F(HandshakeTest, AnUpgradeElsewhereIsNotFound) {
  RawWebSocket socket(port(), "/elsewhere");
  EXPECT_EQ(socket.response().status, 404);
}

TEST_F(HandshakeTest, AWebSocketKeyOrVersionThatIsNoneIsRefused) {
  EXPECT_EQ(RawWebSocket(port(), kWebSocket, {{"Sec-WebSocket-Key", "abc"}}).response().status,
            400);
  const RawResponse old =
      RawWebSocket(port(), kWebSocket, {{"Sec-WebSocket-Version", "8"}}).response();
  EXPECT_EQ(old.status, 426);
  EXPECT_EQ(old.headers.at("sec-websocket-version"), "13");
  EXPECT_EQ(engine_->connections(), 0u);
}

TEST_F(HandshakeTest, TheFirstSubprotocolOfAnOfferIsEchoedAndExtensionsAreNot) {
  const RawResponse response = RawWebSocket(port(), kWebSocket,
                                            {{"Sec-WebSocket-Protocol", "one, two"},
                                             {"Sec-WebSocket-Extensions", "permessage-deflate"}})
                                   .response();
  EXPECT_EQ(response.headers.at("sec-websocket-protocol"), "one");
  EXPECT_FALSE(response.headers.contains("sec-websocket-extensions"));
}

TEST_F(HandshakeTest, ForbiddenOriginsAreCodeFourOnEveryRequest) {
  const std::string sid = OpenPolling();
  for (const char* origin : {"http://evil.example", "null"}) {
    ExpectError(Get(kPolling, {{"Origin", origin}}), 4, "Forbidden");
    ExpectError(Get(PollTarget(sid), {{"Origin", origin}}), 4, "Forbidden");
    ExpectError(Post(sid, "4a", {{"Origin", origin}}), 4, "Forbidden");
  }
  ExpectError(Get(kPolling, {{"Origin", "http://localhost"}, {"origin", "http://localhost"}}), 4,
              "Forbidden");
  ExpectError(Get("/engine.io/?EIO=4&transport=tobi", {{"Origin", "null"}}), 0,
              "Transport unknown");
}

TEST_F(HandshakeTest, BeyondTheLimitOnConnectionsHandshakesAreAnswered503) {
  options_.connections_max = 2;
  OpenPolling();
  RawWebSocket second(port(), kWebSocket);
  EXPECT_EQ(Get(kPolling).status, 503);
  EXPECT_EQ(RawWebSocket(port(), kWebSocket).response().status, 503);
  second.SendText("1");
  ASSERT_EQ(closes_.WaitFor(1).size(), 1u);
  EXPECT_EQ(Get(kPolling).status, 200);
}

// Twelve come at once, and the first burst is two.
TEST_F(HandshakeTest, BeyondTheirRateHandshakesWaitTheirTurn) {
  options_.io_threads = 1;
  options_.admission = {20, std::chrono::seconds(30), std::chrono::milliseconds(100)};
  std::vector<std::unique_ptr<tests::RawTcp>> clients;
  port();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<tests::RawTcp>(port()));
    tests::Send(*clients.back(), {"GET", kPolling, {}, ""});
  }
  std::vector<std::unique_ptr<RawWebSocket>> sockets;
  for (int i = 0; i < 6; ++i) sockets.push_back(std::make_unique<RawWebSocket>(port(), kWebSocket));
  for (const auto& socket : sockets) EXPECT_EQ(socket->response().status, 101);
  for (const auto& client : clients) {
    ASSERT_TRUE(client->ReadSome());
    EXPECT_EQ(client->buffer().substr(9, 3), "200");
  }
  EXPECT_EQ(engine_->connections(), 12u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(400));
}

TEST_F(HandshakeTest, HandshakesThatWouldWaitTooLongAreAnswered503) {
  options_.io_threads = 1;
  options_.admission = {1, std::chrono::seconds(0), std::chrono::milliseconds(0)};
  OpenPolling();
  const tests::RawResponse refused = Get(kPolling);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
}

TEST_F(HandshakeTest, HandshakesThatWaitAreTurnedAwayWhenTheEngineEnds) {
  options_.io_threads = 1;
  options_.admission = {1, std::chrono::seconds(30), std::chrono::milliseconds(0)};
  OpenPolling();
  tests::RawTcp waits(port());
  tests::Send(waits, {"GET", kPolling, {}, ""});
  tests::RawTcp behind(port());
  tests::Send(behind, {"GET", "/else", {}, ""});
  ASSERT_TRUE(behind.ReadSome());  // what came before it is known
  engine_->Stop();
  ASSERT_TRUE(waits.ReadSome());
  EXPECT_EQ(waits.buffer().substr(9, 3), "503");
}

}  // namespace
}  // namespace sessioncast::engineio
