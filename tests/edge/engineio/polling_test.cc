// Long-polling: payloads, what may overlap, and how a connection ends.
#include <algorithm>

#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::RawResponse;
using tests::RawTcp;
using tests::ReadResponse;
using tests::Send;

class PollingTest : public EngineTest {
 protected:
  void ExpectClosedFor(DisconnectReason reason) {
    const std::vector<DisconnectReason> reasons = closes_.WaitFor(1);
    ASSERT_EQ(reasons.size(), 1u);
    EXPECT_EQ(ToString(reasons.front()), ToString(reason));
  }
};

TEST_F(PollingTest, MessagesGoBothWays) {
  const std::string sid = OpenPolling();
  const RawResponse post = Post(sid,
                                "4hello\x1e"
                                "4w\xC3\xB6rld\x1e"
                                "bAQID");
  EXPECT_EQ(post.status, 200);
  EXPECT_EQ(post.headers.at("content-type"), "text/html");
  EXPECT_EQ(post.headers.at("content-length"), "2");
  EXPECT_EQ(post.body, "ok");
  const RawResponse poll = Poll(sid);
  EXPECT_EQ(poll.body,
            "4hello\x1e"
            "4w\xC3\xB6rld\x1e"
            "bAQID");
  EXPECT_EQ(poll.headers.at("content-type"), "text/plain; charset=UTF-8");
  EXPECT_EQ(poll.headers.at("cache-control"), "no-store");
}

TEST_F(PollingTest, APendingPollIsAnsweredByTheNextMessageAndWhatIsSentWithIt) {
  const std::string sid = OpenPolling();
  RawTcp poll = PendingPoll(sid);
  Post(sid, "4two");
  EXPECT_EQ(ReadResponse(poll).body,
            "4two\x1e"
            "4three");
}

TEST_F(PollingTest, AnAnswerHasNoMorePacketsThanClientsTakeAndTheRestFollows) {
  const std::string sid = OpenPolling();
  std::string many = "40";
  for (int i = 1; i < 40; ++i) many += "\x1e" "4" + std::to_string(i);
  EXPECT_EQ(Post(sid, many).status, 200);
  std::string all;
  for (const size_t packets : {16, 16, 8}) {
    const std::string body = Poll(sid).body;
    EXPECT_EQ(std::count(body.begin(), body.end(), '\x1e'), packets - 1);
    all += (all.empty() ? "" : "\x1e") + body;
  }
  EXPECT_EQ(all, many);
}

TEST_F(PollingTest, BadUtf8IsReplaced) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "4a\xFFz").status, 200);
  EXPECT_EQ(Poll(sid).body, "4a\xEF\xBF\xBDz");
}

TEST_F(PollingTest, WhatIsNoPacketEndsTheConnectionAfterTheOnesBefore) {
  for (const std::string bad : {"", "\x1e", "4a\x1e", "7", "a", "2", "2probe", "0", "6", "b###"}) {
    const std::string sid = OpenPolling();
    RawTcp poll = PendingPoll(sid);
    EXPECT_EQ(Post(sid, bad).status, 400) << bad;
    EXPECT_EQ(ReadResponse(poll).status, 200) << bad;
    EXPECT_TRUE(IsGone(sid)) << bad;
  }
  const std::vector<DisconnectReason> reasons = closes_.WaitFor(10);
  for (const DisconnectReason reason : reasons) EXPECT_EQ(ToString(reason), "parse error");
}

TEST_F(PollingTest, TooManyPacketsInOnePostEndTheConnection) {
  options_.connection.post_packets_max = 3;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "3\x1e"
                 "3\x1e"
                 "3")
                .status,
            200);
  EXPECT_EQ(Post(sid,
                 "3\x1e"
                 "3\x1e"
                 "3\x1e"
                 "3")
                .status,
            400);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, PongsAndUpgradesOutOfTurnAreAccepted) {
  const std::string sid = OpenPolling();
  for (const char* body : {"3", "3xyz", "5"}) EXPECT_EQ(Post(sid, body).body, "ok") << body;
  EXPECT_EQ(Post(sid, "4a").body, "ok");
  EXPECT_EQ(Poll(sid).body, "4a");
}

TEST_F(PollingTest, ACloseFromTheClientAnswersThePollWithNoop) {
  const std::string sid = OpenPolling();
  RawTcp poll = PendingPoll(sid);
  EXPECT_EQ(Post(sid,
                 "1\x1e"
                 "4late")
                .body,
            "ok");
  EXPECT_EQ(ReadResponse(poll).body, "6");
  ExpectClosedFor(DisconnectReason::kTransportClose);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, ASecondPollEndsTheConnection) {
  const std::string sid = OpenPolling();
  RawTcp first = PendingPoll(sid);
  const RawResponse second = Poll(sid);
  EXPECT_EQ(second.status, 400);
  EXPECT_EQ(second.body, "");
  EXPECT_EQ(ReadResponse(first).body, "1");
  ExpectClosedFor(DisconnectReason::kTransportError);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, ASecondPostEndsTheConnectionAndTheFirst) {
  const std::string sid = OpenPolling();
  RawTcp first(port());
  first.Send("POST " + PollTarget(sid) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4a");
  // A poll that is answered says that what was sent before it has been handled.
  RawTcp poll(port());
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  EXPECT_EQ(Post(sid, "4b").status, 400);
  EXPECT_TRUE(first.ReadsEnd());
  EXPECT_EQ(first.buffer(), "");
  EXPECT_EQ(ReadResponse(poll).body, "1");
  ExpectClosedFor(DisconnectReason::kTransportError);
}

TEST_F(PollingTest, AClientThatDropsAPollOrAnIncompletePostEndsTheConnection) {
  {
    RawTcp poll = PendingPoll(OpenPolling());
    poll.Close();
    ASSERT_EQ(closes_.WaitFor(1).size(), 1u);
  }
  RawTcp post(port());
  post.Send("POST " + PollTarget(OpenPolling()) +
            " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4a");
  post.Reset();
  ASSERT_EQ(closes_.WaitFor(2).size(), 2u);
  EXPECT_EQ(engine_->connections(), 0u);
}

TEST_F(PollingTest, ABinaryBodyIsRefusedAndEndsTheConnection) {
  const std::string sid = OpenPolling();
  const RawResponse response = Post(sid, "4a", {{"Content-Type", "application/octet-stream"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "");
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, ABodyOfAnyOtherTypeIsText) {
  const std::string sid = OpenPolling();
  for (const char* type : {"text/plain;charset=UTF-8", "application/json", "image/png", ""}) {
    EXPECT_EQ(Post(sid, "4a", {{"Content-Type", type}}).status, 200) << type;
    EXPECT_EQ(Poll(sid).body, "4a");
  }
}

TEST_F(PollingTest, ACompressedBodyIs415) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "4a", {{"Content-Encoding", "gzip"}}).status, 415);
  EXPECT_EQ(Post(sid, "4a").status, 200);
}

TEST_F(PollingTest, ABodyOverTheLimitIs413AndTheConnectionStays) {
  options_.connection.frames.message_bytes_max = 1'000;
  options_.connection.post_bytes_max = 1'000;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "4" + std::string(999, 'x')).status, 200);
  EXPECT_EQ(Poll(sid).body.size(), 1'000u);
  const RawResponse response = Post(sid, "4" + std::string(1'000, 'x'));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(Post(sid, "4a").status, 200);
  EXPECT_EQ(Poll(sid).body, "4a");
}

TEST_F(PollingTest, TheLimitOnABinaryPacketCountsItsBytesNotItsBase64) {
  options_.connection.frames.message_bytes_max = 4;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "bAQIDBA==").status, 200);
  EXPECT_EQ(Poll(sid).body, "bAQIDBA==");
  EXPECT_EQ(Post(sid, "bAQIDBAU=").status, 413);
  EXPECT_EQ(Post(sid, "bAQIDBAUG").status, 413);
}

TEST_F(PollingTest, APacketOverTheLimitIs413WithNoneDelivered) {
  options_.connection.frames.message_bytes_max = 10;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "4a\x1e"
                 "4" +
                     std::string(10, 'x'))
                .status,
            413);
  EXPECT_EQ(Post(sid,
                 "4b\x1e"
                 "4" +
                     std::string(9, 'x'))
                .status,
            200);
  EXPECT_EQ(Poll(sid).body,
            "4b\x1e"
            "4" +
                std::string(9, 'x'));
}

TEST_F(PollingTest, OtherMethodsAre405) {
  const std::string sid = OpenPolling();
  RawTcp head(port());
  Send(head, {"HEAD", PollTarget(sid), {}, ""});
  ASSERT_TRUE(head.ReadSome());
  EXPECT_EQ(head.buffer().substr(9, 3), "405");
  for (const char* method : {"PUT", "DELETE", "PATCH"}) {
    const RawResponse response = tests::Fetch(port(), {method, PollTarget(sid), {}, ""});
    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.body, "");
  }
  EXPECT_EQ(Post(sid, "4a").status, 200);
}

TEST_F(PollingTest, TheServersCloseAnswersThePendingPoll) {
  const std::string sid = OpenPolling();
  RawTcp poll = PendingPoll(sid);
  EXPECT_EQ(Post(sid, "4close").body, "ok");
  EXPECT_EQ(ReadResponse(poll).body, "1");
  ExpectClosedFor(DisconnectReason::kForcedServerClose);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, TheServersCloseIsToldToTheNextPollAfterWhatIsQueued) {
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "4m1\x1e"
                 "4close\x1e"
                 "4late")
                .body,
            "ok");
  EXPECT_EQ(Poll(sid).body, "4m1");
  EXPECT_EQ(Poll(sid).body,
            "6\x1e"
            "1");
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, AConnectionThatTheServerClosedIsForgottenWhenNoPollComes) {
  options_.connection.last_poll_timeout = std::chrono::milliseconds(50);
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "4m1\x1e"
                 "4close")
                .body,
            "ok");
  // POSTs do not count; they are answered as before, and heard by nobody.
  const Clock::time_point deadline = Clock::now() + tests::kPatience;
  RawResponse post = Post(sid, "4late");
  while (post.status == 200 && Clock::now() < deadline) post = Post(sid, "4late");
  EXPECT_EQ(post.body, R"({"code":1,"message":"Session ID unknown"})");
}

TEST_F(PollingTest, APollAndAPostAreHandledInTheOrderTheyArriveOnWhicheverConnection) {
  const std::string sid = OpenPolling();
  for (int i = 0; i < 50; ++i) {
    RawTcp poll(port());
    RawTcp post(port());
    Send(poll, {"GET", PollTarget(sid), {}, ""});
    Send(post, {"POST", PollTarget(sid), {}, "4" + std::to_string(i)});
    EXPECT_EQ(ReadResponse(poll).body, "4" + std::to_string(i));
    EXPECT_EQ(ReadResponse(post).body, "ok");
  }
}

TEST_F(PollingTest, AQueueOverItsLimitEndsTheConnection) {
  options_.connection.queue_bytes_max = 2'500'000;
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid,
                 "4big\x1e"
                 "4big")
                .status,
            200);
  EXPECT_EQ(Post(sid, "4big").status, 200);
  ExpectClosedFor(DisconnectReason::kSlowConsumer);
  EXPECT_TRUE(IsGone(sid));
}

TEST_F(PollingTest, StoppingTheEngineAnswersPendingPolls) {
  RawTcp poll = PendingPoll(OpenPolling());
  engine_->Stop();
  EXPECT_EQ(ReadResponse(poll).body, "1");
  ExpectClosedFor(DisconnectReason::kServerShuttingDown);
}

TEST_F(PollingTest, AClientThatDoesNotFetchWhatWaitsForItIsASlowConsumer) {
  options_.connection.write_timeout = std::chrono::milliseconds(100);
  const std::string sid = OpenPolling();
  EXPECT_EQ(Post(sid, "4hello").body, "ok");
  EXPECT_EQ(ToString(closes_.WaitFor(1).at(0)), "slow consumer");
  EXPECT_TRUE(IsGone(sid));
}

}  // namespace
}  // namespace sessioncast::engineio
