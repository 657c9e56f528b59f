// Handshakes, upgrades and closes, cut at each step, ten thousand times each: no descriptor, no
// session and no memory stays behind. Time-outs are short where a step waits for one.
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/engineio/engine.h"
#include "gtest/gtest.h"
#include "tests/support/footprint.h"
#include "tests/support/leak_check.h"
#include "tests/support/leak_sentences.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;
using tests::FrameBytes;
using tests::InOneGo;
using tests::IsAnswered;
using tests::LeakClient;
using tests::OpensPolling;
using tests::OpensWebSocket;
using tests::ReadsFrame;
using tests::SendsBytes;
using tests::SendsFrame;
using tests::SendsPost;
using tests::Sentences;
using tests::Then;

// How many connections ended for which reason; counted on I/O threads.
class Endings {
 public:
  void Count(DisconnectReason reason) { ++counts_[static_cast<size_t>(reason)]; }
  size_t Of(DisconnectReason reason) const { return counts_[static_cast<size_t>(reason)]; }

 private:
  std::array<std::atomic<size_t>, 16> counts_ = {};
};

// Echoes; "close" ends the connection.
class LeakSink : public MessageSink {
 public:
  LeakSink(Connection& connection, Endings& endings) : connection_(connection), endings_(endings) {}
  void OnText(std::string_view text) override {
    if (text == "close") return connection_.Close(DisconnectReason::kForcedServerClose);
    connection_.SendText(std::string(text));
  }
  void OnBinary(std::string_view) override {}
  void OnDrained() override {}
  void OnClose(DisconnectReason reason) override { endings_.Count(reason); }

 private:
  Connection& connection_;
  Endings& endings_;
};

class LeakTest : public ::testing::Test {
 protected:
  LeakTest() {
    options_.listen = "localhost:0";
    options_.io_threads = 2;
    options_.path = "/engine.io/";
    options_.accept = [this](Connection& connection) {
      ++opened_;
      return std::make_unique<LeakSink>(connection, endings_);
    };
  }

  // Ends by a missing pong come this soon.
  void UseShortPings() {
    options_.connection.ping_interval = milliseconds(30);
    options_.connection.ping_timeout = milliseconds(30);
  }

  void ExpectNothingLeft(DisconnectReason reason, tests::LeakStep step) {
    ExpectNothingLeft([this, reason] { return endings_.Of(reason); }, std::move(step));
  }
  void ExpectNothingLeft(std::function<size_t()> ended, tests::LeakStep step) {
    Engine engine(options_);
    const absl::Status status = engine.Start();
    ASSERT_TRUE(status.ok()) << status;
    tests::LeakSubject subject;
    subject.port = engine.port();
    subject.path = options_.path;
    subject.held = [&] { return engine.CountHeld(); };
    subject.connections = [&] { return engine.connections(); };
    subject.ended = std::move(ended);
    tests::ExpectNothingLeft(subject, step);
  }

  // Opens polling, and a websocket that wants to take over.
  static Sentences Upgrades(Sentences more) {
    return OpensPolling(OpensWebSocket(std::move(more)));
  }
  static Sentences Probes(Sentences more) {
    return Upgrades(Then({SendsFrame("2probe"), ReadsFrame("3probe")}, std::move(more)));
  }
  // With the probe right behind the request, so that no short time-out comes between.
  static Sentences ProbesAtOnce(Sentences more) {
    return OpensPolling(Then(
        {&LeakClient::SendUpgradeAndProbe, &LeakClient::ReadWebSocketOpen, ReadsFrame("3probe")},
        std::move(more)));
  }
  // The session goes on with polling, until the client ends it.
  static Sentences ClosesPolling() {
    return {SendsPost("1"), IsAnswered("ok"), &LeakClient::LeaveHttp};
  }

  EngineOptions options_;
  std::atomic<size_t> opened_ = 0;
  Endings endings_;
};

// ---- polling

class LeakOfPollingTest : public LeakTest {};

TEST_F(LeakOfPollingTest, AbandonedAfterTheHandshake) {
  UseShortPings();
  ExpectNothingLeft(DisconnectReason::kPingTimeout,
                    {.sentences = OpensPolling({&LeakClient::LeaveHttp}), .group = 500});
}

TEST_F(LeakOfPollingTest, ClosedByTheClient) {
  ExpectNothingLeft(DisconnectReason::kTransportClose, {OpensPolling(ClosesPolling())});
}

TEST_F(LeakOfPollingTest, ClosedByTheClientWhileAPollIsPending) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {OpensPolling({&LeakClient::SendSecondGet, SendsPost("1"), IsAnswered("ok"),
                                   &LeakClient::LeaveSecond, &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfPollingTest, ClosedByTheServer) {
  ExpectNothingLeft(DisconnectReason::kForcedServerClose,
                    {OpensPolling({SendsPost("4close"), IsAnswered("ok"), &LeakClient::SendGet,
                                   IsAnswered("6\x1e"
                                              "1"),
                                   &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfPollingTest, ClosedByTheServerAndNeverPolledAgain) {
  options_.connection.last_poll_timeout = milliseconds(30);
  ExpectNothingLeft(
      DisconnectReason::kForcedServerClose,
      {.sentences = OpensPolling({SendsPost("4close"), IsAnswered("ok"), &LeakClient::LeaveHttp}),
       .group = 500});
}

TEST_F(LeakOfPollingTest, APendingPollIsDropped) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {OpensPolling({&LeakClient::SendGet, &LeakClient::CloseHttp})});
}

TEST_F(LeakOfPollingTest, TwoPollsOverlap) {
  ExpectNothingLeft(
      DisconnectReason::kTransportError,
      {OpensPolling({&LeakClient::SendGet, &LeakClient::SendSecondGet, &LeakClient::ReadOverlap,
                     &LeakClient::LeaveHttp, &LeakClient::LeaveSecond})});
}

TEST_F(LeakOfPollingTest, APostIsCutInMidBody) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {OpensPolling({&LeakClient::SendHalfOfPost, &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfPollingTest, APostIsNeverFinished) {
  options_.http.body_timeout = milliseconds(30);
  ExpectNothingLeft(
      DisconnectReason::kTransportError,
      {.sentences = OpensPolling({&LeakClient::SendHalfOfPost,
                                  [](LeakClient& client) { return client.ReadStatus(408); },
                                  &LeakClient::LeaveHttp}),
       .group = 500});
}

// ---- handshakes that open nothing

class LeakOfHandshakeTest : public LeakTest {
 protected:
  using Headers = std::map<std::string, std::string>;

  // A request, and the status of its answer.
  static Sentences IsRefused(int status, std::string query, Headers headers = {}) {
    return {[query = "/engine.io/?" + std::move(query),
             headers = std::move(headers)](LeakClient& client) {
              return client.SendRequest({"GET", query, headers, ""});
            },
            [status](LeakClient& client) { return client.ReadStatus(status); }};
  }
  void ExpectNothingLeftOfRefused(Sentences sentences) {
    const auto none_ends = [this] { return opened_ == 0 ? SIZE_MAX : 0; };
    ExpectNothingLeft(none_ends, {Then(std::move(sentences), {&LeakClient::LeaveHttp})});
  }
};

TEST_F(LeakOfHandshakeTest, RefusedForEachReasonOfARequest) {
  Sentences sentences;
  for (const Sentences& refused :
       {IsRefused(400, "EIO=4&transport=carrier"), IsRefused(400, "EIO=3&transport=polling"),
        IsRefused(400, "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA"),
        IsRefused(403, "EIO=4&transport=polling", {{"Origin", "https://evil.example"}})}) {
    sentences = Then(std::move(sentences), refused);
  }
  ExpectNothingLeftOfRefused(std::move(sentences));
}

TEST_F(LeakOfHandshakeTest, RefusedByTheUser) {
  options_.refusal = [](const HttpRequest&) { return std::string("not today"); };
  ExpectNothingLeftOfRefused(IsRefused(403, "EIO=4&transport=polling"));
}

TEST_F(LeakOfHandshakeTest, RefusedForTooManyConnections) {
  options_.connections_max = 0;
  ExpectNothingLeftOfRefused(IsRefused(503, "EIO=4&transport=polling"));
}

TEST_F(LeakOfHandshakeTest, AWebSocketOfAnUnsupportedVersionIsRefused) {
  ExpectNothingLeftOfRefused(IsRefused(426, "EIO=4&transport=websocket",
                                       {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}));
}

TEST_F(LeakOfHandshakeTest, CutInItsHead) {
  ExpectNothingLeftOfRefused({[](LeakClient& client) {
    return client.SendHttpBytes("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHos");
  }});
}

// ---- websocket

class LeakOfWebSocketTest : public LeakTest {};

TEST_F(LeakOfWebSocketTest, ClosedByACloseFrame) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {OpensWebSocket({SendsBytes(FrameBytes(0x88, "")), &LeakClient::ReadEnd,
                                     &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfWebSocketTest, ClosedWithoutACloseFrame) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {OpensWebSocket({&LeakClient::CloseWebSocket})});
}

TEST_F(LeakOfWebSocketTest, Reset) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {OpensWebSocket({&LeakClient::ResetWebSocket})});
}

TEST_F(LeakOfWebSocketTest, ResetInMidFrame) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {OpensWebSocket({SendsFrame("4whole"), ReadsFrame("4whole"),
                                     SendsBytes(FrameBytes(0x81, "4half of it").substr(0, 9)),
                                     &LeakClient::ResetWebSocket})});
}

TEST_F(LeakOfWebSocketTest, ClosedInMidFrame) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {OpensWebSocket({SendsBytes(FrameBytes(0x01, "4a fragment") +
                                                FrameBytes(0x81, "").substr(0, 1)),
                                     &LeakClient::CloseWebSocket})});
}

TEST_F(LeakOfWebSocketTest, NoPong) {
  UseShortPings();
  ExpectNothingLeft(DisconnectReason::kPingTimeout,
                    {.sentences = OpensWebSocket(
                         {ReadsFrame("2"), &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket}),
                     .group = 500});
}

TEST_F(LeakOfWebSocketTest, ClosedByTheServer) {
  ExpectNothingLeft(
      DisconnectReason::kForcedServerClose,
      {OpensWebSocket({SendsFrame("4close"), &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfWebSocketTest, ClosedByTheServerAndNeverByTheClient) {
  options_.connection.client_close_timeout = milliseconds(30);
  ExpectNothingLeft(DisconnectReason::kForcedServerClose,
                    {.sentences = OpensWebSocket({SendsFrame("4close"), &LeakClient::ReadEnd,
                                                  &LeakClient::WriteUntilReset}),
                     .group = 500});
}

TEST_F(LeakOfWebSocketTest, BrokenFrames) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {OpensWebSocket({SendsBytes(FrameBytes(0xF1, "4x")), &LeakClient::ReadEnd,
                                     &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfWebSocketTest, BrokenPackets) {
  ExpectNothingLeft(
      DisconnectReason::kParseError,
      {OpensWebSocket({SendsFrame("9"), &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfWebSocketTest, DroppedBeforeThe101IsRead) {
  const auto all = [this] {
    return endings_.Of(DisconnectReason::kTransportClose) +
           endings_.Of(DisconnectReason::kTransportError);
  };
  ExpectNothingLeft(all, {{&LeakClient::SendWebSocketRequest, &LeakClient::IsAnswered,
                           &LeakClient::LeaveWebSocket}});
}

TEST_F(LeakOfWebSocketTest, TheQueuePassesItsLimit) {
  options_.connection.queue_bytes_max = 1'000;
  ExpectNothingLeft(DisconnectReason::kSlowConsumer,
                    {OpensWebSocket({SendsFrame("4" + std::string(1'000, 'x')),
                                     &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

// ---- upgrade

class LeakOfUpgradeTest : public LeakTest {
 protected:
  // The websocket is cut here; the session goes on with polling, and the client closes it.
  void ExpectNothingLeftWhenCut(Sentences sentences) {
    ExpectNothingLeft(
        DisconnectReason::kTransportClose,
        {Then(std::move(sentences), Then({&LeakClient::LeaveWebSocket}, ClosesPolling()))});
  }
};

TEST_F(LeakOfUpgradeTest, CutAfterThe101) { ExpectNothingLeftWhenCut(Upgrades({})); }

TEST_F(LeakOfUpgradeTest, CutBeforeThe101IsRead) {
  ExpectNothingLeftWhenCut(
      OpensPolling({&LeakClient::SendWebSocketRequest, &LeakClient::IsAnswered}));
}

TEST_F(LeakOfUpgradeTest, CutAfterTheProbeIsSent) {
  ExpectNothingLeftWhenCut(Upgrades({SendsFrame("2probe")}));
}

TEST_F(LeakOfUpgradeTest, CutAfterTheProbeIsAnswered) { ExpectNothingLeftWhenCut(Probes({})); }

TEST_F(LeakOfUpgradeTest, CutAfterTheNoop) {
  ExpectNothingLeftWhenCut(Probes({&LeakClient::SendGet, IsAnswered("6")}));
}

TEST_F(LeakOfUpgradeTest, CutAfterTheUpgradePacket) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {Probes({&LeakClient::SendGet, IsAnswered("6"), SendsFrame("5"),
                             &LeakClient::CloseWebSocket, &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfUpgradeTest, CompletedThenClosed) {
  ExpectNothingLeft(
      DisconnectReason::kTransportClose,
      {Probes({&LeakClient::SendGet, IsAnswered("6"), SendsFrame("5"), &LeakClient::LeaveHttp,
               SendsFrame("4on"), ReadsFrame("4on"), SendsBytes(FrameBytes(0x88, "")),
               &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfUpgradeTest, CompletedThenReset) {
  ExpectNothingLeft(DisconnectReason::kTransportError,
                    {Probes({SendsFrame("5"), SendsFrame("4on"), ReadsFrame("4on"),
                             &LeakClient::ResetWebSocket, &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfUpgradeTest, CompletedWithoutProbeWhileAPollIsPending) {
  ExpectNothingLeft(
      DisconnectReason::kTransportClose,
      {Upgrades({&LeakClient::SendGet, SendsFrame("5"), IsAnswered("1"), SendsFrame("1"),
                 &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket, &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfUpgradeTest, NeverFinished) {
  options_.connection.upgrade_timeout = milliseconds(30);
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {.sentences = ProbesAtOnce(Then(
                         {&LeakClient::ReadEnd, &LeakClient::LeaveWebSocket}, ClosesPolling())),
                     .group = 500});
}

TEST_F(LeakOfUpgradeTest, AbandonedInTheMiddle) {
  UseShortPings();
  options_.connection.ping_interval = milliseconds(150);
  ExpectNothingLeft(
      DisconnectReason::kPingTimeout,
      {.sentences = {InOneGo(ProbesAtOnce({})), &LeakClient::LeaveHttp, &LeakClient::ReadEnd},
       .group = 500,
       .late_percent_max = 50});
}

TEST_F(LeakOfUpgradeTest, TheSessionEndsWhileItIsProbed) {
  ExpectNothingLeft(DisconnectReason::kTransportClose,
                    {Probes({SendsPost("1"), IsAnswered("ok"), &LeakClient::ReadEnd,
                             &LeakClient::LeaveWebSocket, &LeakClient::LeaveHttp})});
}

// ---- the server's end

TEST_F(LeakTest, AServerThatStopsWhileClientsComeLeavesNoDescriptor) {
  const size_t before = tests::OpenDescriptors();
  for (int i = 0; i < 30; ++i) {
    Engine engine(options_);
    ASSERT_TRUE(engine.Start().ok());
    std::vector<std::unique_ptr<LeakClient>> clients;
    for (size_t k = 0; k < 20; ++k) {
      clients.push_back(std::make_unique<LeakClient>(engine.port(), options_.path, k));
      k % 2 == 0 ? clients.back()->SendGet() : clients.back()->SendWebSocketRequest();
    }
    engine.Stop();
  }
  EXPECT_EQ(tests::OpenDescriptors(), before);
}

}  // namespace
}  // namespace sessioncast::engineio
