// HTTP itself: keep-alive, bodies, deadlines, and requests that are not Engine.IO's.
#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::Fetch;
using tests::RawResponse;
using tests::RawTcp;
using tests::ReadResponse;
using tests::Send;

class HttpTest : public EngineTest {
 protected:
  HttpTest() {
    options_.on_request = [](IoThread& thread, const HttpRequest& request, HttpReply reply) {
      HttpResponse response;
      response.headers = {{"X-Method", request.method}};
      response.body = request.path + "|" + request.remote_address + "|" + request.body;
      if (request.path == "/later") {
        return thread.Post([reply, response] { reply(response); });
      }
      if (request.path == "/never") return;
      reply(response);
      reply(response);  // is ignored
    };
    options_.files.files["client.js"] = {"application/javascript; charset=utf-8", "code()"};
    options_.files.version = "4.8.1";
  }
};

TEST_F(HttpTest, RequestsOutsideThePathGoToTheHandler) {
  const RawResponse response = Fetch(port(), {"POST", "/api?x=1", {}, "{\"a\":1}"});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "/api|127.0.0.1|{\"a\":1}");
  EXPECT_EQ(Get("/later").body, "/later|127.0.0.1|");
}

TEST_F(HttpTest, RequestsOfOneTcpConnectionAreAnsweredInTurn) {
  RawTcp tcp(port());
  for (const char* path : {"/1", "/later", "/3"}) {
    Send(tcp, {"GET", path, {}, ""});
    EXPECT_EQ(ReadResponse(tcp).body, std::string(path) + "|127.0.0.1|");
  }
  tcp.Send(tests::Format({"POST", "/later", {}, "one"}) + tests::Format({"GET", "/b", {}, ""}) +
           tests::Format({"GET", "/c", {{"Connection", "close"}}, ""}));
  EXPECT_EQ(ReadResponse(tcp).body, "/later|127.0.0.1|one");
  EXPECT_EQ(ReadResponse(tcp).body, "/b|127.0.0.1|");
  const RawResponse last = ReadResponse(tcp);
  EXPECT_EQ(last.body, "/c|127.0.0.1|");
  EXPECT_EQ(last.headers.at("connection"), "close");
  EXPECT_TRUE(tcp.ReadsEnd());
}

TEST_F(HttpTest, OneTcpConnectionServesConnectionsOfAllThreads) {
  std::vector<std::string> sids;
  for (int i = 0; i < 8; ++i) sids.push_back(OpenPolling());
  RawTcp tcp(port());
  for (const std::string& sid : sids) {
    Send(tcp, {"POST", PollTarget(sid), {}, "4" + sid});
    EXPECT_EQ(ReadResponse(tcp).body, "ok");
    Send(tcp, {"GET", PollTarget(sid), {}, ""});
    EXPECT_EQ(ReadResponse(tcp).body, "4" + sid);
    Send(tcp, {"GET", "/between", {}, ""});
    EXPECT_EQ(ReadResponse(tcp).body, "/between|127.0.0.1|");
  }
}

TEST_F(HttpTest, RequestsForConnectionsOfSeveralThreadsThatComeAtOnceAreAnsweredInTurn) {
  const std::vector<std::string> sids = {OpenPolling(), OpenPolling(), OpenPolling()};
  std::string all;
  for (const std::string& sid : sids) {
    all += tests::Format({"POST", PollTarget(sid), {}, "4" + sid});
  }
  for (const std::string& sid : sids) all += tests::Format({"GET", PollTarget(sid), {}, ""});
  RawTcp tcp(port());
  tcp.Send(all);
  for (size_t i = 0; i < sids.size(); ++i) EXPECT_EQ(ReadResponse(tcp).body, "ok");
  for (const std::string& sid : sids) EXPECT_EQ(ReadResponse(tcp).body, "4" + sid);
}

TEST_F(HttpTest, ABodyOverTheLimitIs413) {
  options_.connection.post_bytes_max = 100;
  EXPECT_EQ(Fetch(port(), {"POST", "/a", {}, std::string(100, 'x')}).status, 200);
  RawTcp tcp(port());
  Send(tcp, {"POST", "/a", {}, std::string(101, 'x')});
  const RawResponse response = ReadResponse(tcp);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "");
  EXPECT_TRUE(tcp.ReadsEnd());
}

TEST_F(HttpTest, AClientThatWaitsForContinueGetsIt) {
  RawTcp tcp(port());
  tcp.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(ReadResponse(tcp).status, 100);
  tcp.Send("hi");
  EXPECT_EQ(ReadResponse(tcp).body, "/a|127.0.0.1|hi");
}

TEST_F(HttpTest, ARequestThatCannotBeReadIsAnsweredAndTheConnectionClosed) {
  std::string thousand_fields;
  for (int i = 0; i < 1'000; ++i) thousand_fields += "a: b\r\n";
  const struct {
    std::string bytes;
    int status;
  } rows[] = {
      {"GET / HTTP/1.1\n\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET /" + std::string(9000, 'a'), 414},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'a'), 431},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n" + thousand_fields + "\r\n", 431},
      {"\x16\x03\x01\x02\x05", 0},
  };
  for (const auto& row : rows) {
    RawTcp tcp(port());
    tcp.Send(row.bytes);
    EXPECT_EQ(ReadResponse(tcp).status, row.status) << row.bytes.substr(0, 40);
    EXPECT_TRUE(tcp.ReadsEnd());
  }
}

TEST_F(HttpTest, WhoSendsTooSlowlyIsClosed) {
  options_.http.header_timeout = std::chrono::milliseconds(50);
  options_.http.body_timeout = std::chrono::milliseconds(50);
  options_.http.idle_timeout = std::chrono::milliseconds(50);
  RawTcp silent(port());
  EXPECT_TRUE(silent.ReadsEnd());
  EXPECT_EQ(silent.buffer(), "");
  RawTcp slow_head(port());
  slow_head.Send("GET / HT");
  EXPECT_EQ(ReadResponse(slow_head).status, 408);
  EXPECT_TRUE(slow_head.ReadsEnd());
  RawTcp slow_body(port());
  slow_body.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(ReadResponse(slow_body).status, 408);
  EXPECT_TRUE(slow_body.ReadsEnd());
  RawTcp idle(port());
  Send(idle, {"GET", "/a", {}, ""});
  EXPECT_EQ(ReadResponse(idle).status, 200);
  EXPECT_TRUE(idle.ReadsEnd());
}

TEST_F(HttpTest, AReplyThatNeverComesHoldsNobodyElse) {
  RawTcp waiting(port());
  Send(waiting, {"GET", "/never", {}, ""});
  EXPECT_EQ(Get("/a").status, 200);
  waiting.Close();
  EXPECT_EQ(Get("/a").status, 200);
}

TEST_F(HttpTest, FilesAreServedWithTheirVersionAsTag) {
  const RawResponse response = Get("/engine.io/client.js");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "code()");
  EXPECT_EQ(response.headers.at("etag"), "\"4.8.1\"");
  EXPECT_EQ(response.headers.at("content-type"), "application/javascript; charset=utf-8");
  EXPECT_EQ(response.headers.at("cache-control"), "public, max-age=0");
  const RawResponse known = Get("/engine.io/client.js", {{"If-None-Match", "\"4.8.1\""}});
  EXPECT_EQ(known.status, 304);
  EXPECT_EQ(known.body, "");
  EXPECT_EQ(Get("/engine.io/client.js", {{"If-None-Match", "\"4.8.0\""}}).status, 200);
  EXPECT_EQ(Get("/engine.io/other.js").status, 400);
}

TEST_F(HttpTest, AfterStopAcceptingNobodyNewComesAndWhoIsThereStays) {
  RawTcp tcp(port());
  Send(tcp, {"GET", "/a", {}, ""});
  EXPECT_EQ(ReadResponse(tcp).status, 200);
  engine_->StopAccepting();
  RawTcp refused(engine_->port());
  EXPECT_LT(refused.descriptor(), 0);
  Send(tcp, {"GET", "/b", {}, ""});
  EXPECT_EQ(ReadResponse(tcp).status, 200);
}

TEST_F(HttpTest, APortThatIsTakenIsAnErrorThatNamesIt) {
  EngineOptions options = options_;
  options.listen = "localhost:" + std::to_string(port());
  Engine second(std::move(options));
  const absl::Status status = second.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(std::to_string(port())), absl::string_view::npos) << status;
  EngineOptions rootless = options_;
  rootless.path = "engine.io/";
  EXPECT_FALSE(Engine(std::move(rootless)).Start().ok());
  for (const char* bad : {"localhost", "localhost:70000", ":1", "::1:80", "localhost:x"}) {
    EngineOptions wrong = options_;
    wrong.listen = bad;
    EXPECT_FALSE(Engine(std::move(wrong)).Start().ok()) << bad;
  }
}

TEST_F(HttpTest, AnotherProtocolIsClosedAndReportedOnce) {
  std::mutex mutex;
  std::vector<std::string> reports;
  options_.on_other_protocol = [&](std::string_view address, std::string_view protocol) {
    std::lock_guard lock(mutex);
    reports.push_back(std::string(address) + " " + std::string(protocol));
  };
  for (const char* bytes : {"\x16\x03\x01\x02\x05", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    RawTcp tcp(port());
    tcp.Send(bytes);
    EXPECT_TRUE(tcp.ReadsEnd());
    EXPECT_EQ(tcp.buffer(), "");
  }
  std::lock_guard lock(mutex);
  EXPECT_EQ(reports, (std::vector<std::string>{"127.0.0.1 TLS", "127.0.0.1 HTTP/2"}));
}

TEST_F(HttpTest, AClientThatHalfClosesStillGetsAnAnswerThatComesLater) {
  std::mutex mutex;
  HttpReply pending;
  IoThread* owner = nullptr;
  std::condition_variable asked;
  options_.on_request = [&](IoThread& thread, const HttpRequest&, HttpReply reply) {
    std::lock_guard lock(mutex);
    pending = std::move(reply);
    owner = &thread;
    asked.notify_all();
  };
  RawTcp tcp(port());
  tests::Send(tcp, {"GET", "/later", {}, ""});
  tcp.ShutdownWriting();
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(asked.wait_for(lock, tests::kPatience, [&] { return owner != nullptr; }));
    // Another turn of the loop, in which the end of the request is seen.
    ASSERT_EQ(Get("/engine.io/?EIO=4&transport=polling").status, 200);
    owner->Post([reply = std::move(pending)] { reply({200, {}, "at last"}); });
  }
  EXPECT_EQ(ReadResponse(tcp).body, "at last");
  EXPECT_TRUE(tcp.ReadsEnd());
}

}  // namespace
}  // namespace sessioncast::engineio
