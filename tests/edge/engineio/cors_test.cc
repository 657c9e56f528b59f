// What a browser is told about which pages may use the server: on every answer, also on errors.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::Fetch;
using tests::RawResponse;
using tests::RawTcp;
using tests::RawWebSocket;

class CorsTest : public EngineTest {
 protected:
  void ExpectAllowed(const RawResponse& response, int status) {
    EXPECT_EQ(response.status, status);
    ASSERT_TRUE(response.headers.contains("access-control-allow-origin")) << status;
    EXPECT_EQ(response.headers.at("access-control-allow-origin"), kOrigin);
    EXPECT_EQ(response.headers.at("access-control-allow-credentials"), "true");
    EXPECT_NE(response.headers.at("vary").find("Origin"), std::string::npos);
  }
  RawResponse Upgrade(const std::string& target, std::map<std::string, std::string> headers = {}) {
    headers["Origin"] = kOrigin;
    return RawWebSocket(port(), target, std::move(headers)).response();
  }

  static constexpr const char* kOrigin = "http://localhost:5173";
  const std::map<std::string, std::string> origin_ = {{"Origin", kOrigin}};
};

TEST_F(CorsTest, AllowedOriginsGetTheirFieldsOnEveryAnswer) {
  options_.connection.post_bytes_max = 100;
  const RawResponse opened = Get(kPolling, origin_);
  ExpectAllowed(opened, 200);
  const std::string sid = SidOf(opened.body);
  ExpectAllowed(Post(sid, "4a", origin_), 200);
  ExpectAllowed(Get(PollTarget(sid), origin_), 200);
  ExpectAllowed(Post(sid, std::string(101, 'x'), origin_), 413);
  ExpectAllowed(Post(sid, "4a", {{"Origin", kOrigin}, {"Content-Encoding", "gzip"}}), 415);
  ExpectAllowed(Fetch(port(), {"PUT", PollTarget(sid), origin_, ""}), 405);
  ExpectAllowed(Post(sid, "7", origin_), 400);
  ExpectAllowed(Post(sid, "4a", origin_), 400);
  ExpectAllowed(Get("/engine.io/", origin_), 400);
  ExpectAllowed(Fetch(port(), {"POST", kPolling, origin_, ""}), 400);
  ExpectAllowed(Get("/nowhere", origin_), 404);
}

TEST_F(CorsTest, AllowedOriginsGetTheirFieldsOnAnswersToAnUpgrade) {
  ExpectAllowed(Upgrade(kWebSocket), 101);
  ExpectAllowed(Upgrade("/engine.io/?EIO=4&transport=x"), 400);
  ExpectAllowed(Upgrade("/engine.io/?EIO=3&transport=websocket"), 400);
  ExpectAllowed(Upgrade(UpgradeTarget("AAAAAAAAAAAAAAAAAAAA")), 400);
  ExpectAllowed(Upgrade(kWebSocket, {{"Sec-WebSocket-Key", "abc"}}), 400);
  ExpectAllowed(Upgrade(kWebSocket, {{"Sec-WebSocket-Version", "8"}}), 426);
}

TEST_F(CorsTest, ABodyThatComesTooSlowlyIsRefusedWithThem) {
  options_.http.body_timeout = std::chrono::milliseconds(50);
  RawTcp tcp(port());
  tests::Send(tcp, {"POST",
                    PollTarget(OpenPolling()),
                    {{"Origin", kOrigin}, {"Content-Length", "10"}},
                    "4a"});
  ExpectAllowed(ReadResponse(tcp), 408);
}

TEST_F(CorsTest, WhoSendsNoOriginGetsNone) {
  EXPECT_FALSE(Get(kPolling).headers.contains("access-control-allow-origin"));
}

TEST_F(CorsTest, APreflightIsAnsweredAndToAForbiddenOriginItAllowsNothing) {
  const std::string sid = OpenPolling();
  for (const std::string& target : {std::string(kPolling), PollTarget(sid), std::string("/api")}) {
    const RawResponse allowed = Fetch(port(), {"OPTIONS",
                                               target,
                                               {{"Origin", kOrigin},
                                                {"Access-Control-Request-Method", "POST"},
                                                {"Access-Control-Request-Headers", "content-type"}},
                                               ""});
    ExpectAllowed(allowed, 204);
    EXPECT_EQ(allowed.body, "");
    EXPECT_EQ(allowed.headers.at("content-length"), "0");
    EXPECT_EQ(allowed.headers.at("access-control-allow-methods"), "GET,HEAD,PUT,PATCH,POST,DELETE");
    EXPECT_EQ(allowed.headers.at("access-control-allow-headers"), "content-type");
    EXPECT_NE(allowed.headers.at("vary").find("Access-Control-Request-Headers"), std::string::npos);
    const RawResponse forbidden =
        Fetch(port(), {"OPTIONS", target, {{"Origin", "http://evil.example"}}, ""});
    EXPECT_EQ(forbidden.status, 204);
    EXPECT_FALSE(forbidden.headers.contains("access-control-allow-origin"));
    EXPECT_FALSE(forbidden.headers.contains("access-control-allow-methods"));
  }
  EXPECT_EQ(Post(sid, "4still here").status, 200);
}

TEST_F(CorsTest, AnyOriginIsAllowedWithoutItsUsersCredentials) {
  options_.origins.origins = {"*"};
  const RawResponse response = Get(kPolling, {{"Origin", "http://anywhere.example"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("access-control-allow-origin"), "*");
  EXPECT_FALSE(response.headers.contains("access-control-allow-credentials"));
}

}  // namespace
}  // namespace sessioncast::engineio
