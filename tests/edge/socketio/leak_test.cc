// Sockets that go at each step of their life, ten thousand times each: nothing of them stays
// behind, in the server or with its user.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "edge/socketio/server.h"
#include "gtest/gtest.h"
#include "tests/support/leak_check.h"
#include "tests/support/leak_sentences.h"

namespace sessioncast::socketio {
namespace {

using std::chrono::milliseconds;
using tests::FrameBytes;
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

// Goes with its socket, and counts those that are there.
class Witness : public Attachment {
 public:
  explicit Witness(std::atomic<size_t>& sockets) : sockets_(sockets) { ++sockets_; }
  ~Witness() override { --sockets_; }

 private:
  std::atomic<size_t>& sockets_;
};

class LeakOfSocketTest : public ::testing::Test {
 protected:
  LeakOfSocketTest() {
    options_.listen = "localhost:0";
    options_.io_threads = 2;
  }

  // Before it is started, for handlers.
  Server& server() {
    if (server_ != nullptr) return *server_;
    server_ = std::make_unique<Server>(options_);
    server_->Of("/").Use([this](Socket& socket, Namespace::Next next) {
      ++came_;
      socket.set_attachment(std::make_unique<Witness>(sockets_));
      next(std::nullopt);
    });
    server_->Of("/").OnDisconnect(
        [this](Socket&, DisconnectReason reason) { ++left_[static_cast<size_t>(reason)]; });
    return *server_;
  }

  size_t left(DisconnectReason reason) const { return left_[static_cast<size_t>(reason)]; }
  size_t lost() const {
    return left(DisconnectReason::kTransportClose) + left(DisconnectReason::kTransportError);
  }

  // `ended`: how many came to the end that this step is about.
  void ExpectNothingLeft(std::function<size_t()> ended, tests::LeakStep step) {
    const absl::Status status = server().Start();
    ASSERT_TRUE(status.ok()) << status;
    tests::LeakSubject subject;
    subject.port = server_->port();
    subject.path = options_.path;
    subject.held = [this] { return server_->CountHeld(); };
    subject.connections = [this] { return server_->connections(); };
    subject.ended = std::move(ended);
    tests::ExpectNothingLeft(subject, step);
    EXPECT_EQ(sockets_, 0u) << "sockets that are still there";
  }

  static Sentences Joins(Sentences more) {
    return OpensWebSocket(Then({SendsFrame("40"), ReadsFrame("40{")}, std::move(more)));
  }
  static Sentences JoinsByPolling(Sentences more) {
    const auto reads_connect = [](LeakClient& client) { return client.ReadStatus(200); };
    return OpensPolling(Then(
        {SendsPost("40"), IsAnswered("ok"), &LeakClient::SendGet, reads_connect}, std::move(more)));
  }

  Options options_;
  std::atomic<size_t> came_ = 0;
  std::atomic<size_t> sockets_ = 0;
  std::array<std::atomic<size_t>, 16> left_ = {};
  std::unique_ptr<Server> server_;
};

TEST_F(LeakOfSocketTest, DroppedAfterConnect) {
  ExpectNothingLeft([this] { return lost(); }, {.sentences = Joins({&LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, DroppedBeforeTheAnswerToConnectIsRead) {
  ExpectNothingLeft([this] { return lost(); },
                    {.sentences = OpensWebSocket({SendsFrame("40"), &LeakClient::IsAnswered,
                                                  &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, OnPollingAbandonedAfterConnect) {
  options_.ping_interval = milliseconds(300);
  options_.ping_timeout = milliseconds(30);
  ExpectNothingLeft([this] { return left(DisconnectReason::kPingTimeout); },
                    {.sentences = {tests::InOneGo(JoinsByPolling({})), &LeakClient::LeaveHttp},
                     .group = 500,
                     .late_percent_max = 50});
}

TEST_F(LeakOfSocketTest, OnPollingClosedAfterConnect) {
  ExpectNothingLeft([this] { return left(DisconnectReason::kClientNamespaceDisconnect); },
                    {.sentences = JoinsByPolling({SendsPost("41\x1e"
                                                            "1"),
                                                  IsAnswered("ok"), &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfSocketTest, JoinedNothingInTime) {
  options_.connect_timeout = milliseconds(30);
  const auto none_comes = [this] { return came_ == 0 ? SIZE_MAX : 0; };
  ExpectNothingLeft(
      none_comes, {.sentences = OpensWebSocket({&LeakClient::ReadEnd, &LeakClient::LeaveWebSocket}),
                   .group = 500});
}

TEST_F(LeakOfSocketTest, RefusedByAMiddleware) {
  server().Of("/").Use([](Socket&, Namespace::Next next) {
    next(ConnectRefusal{"not today", {{"retry", true}}});
  });
  ExpectNothingLeft([this] { return came_.load(); },
                    {.sentences = OpensWebSocket(
                         {SendsFrame("40"), ReadsFrame("44{"), &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, NamespaceUnknown) {
  ExpectNothingLeft([this] { return lost(); },
                    {.sentences = Joins({SendsFrame("40/none,"), ReadsFrame("44/none,{"),
                                         &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, TheClientLeavesWhileAMiddlewareDecides) {
  std::mutex mutex;
  std::vector<std::pair<IoThread*, Namespace::Next>> undecided;
  std::atomic<size_t> decided = 0;
  server().Of("/").Use([&](Socket& socket, Namespace::Next next) {
    std::lock_guard lock(mutex);
    undecided.emplace_back(&socket.thread(), std::move(next));
  });
  // The last word comes when there is nobody to hear it.
  const auto decide = [&] {
    std::lock_guard lock(mutex);
    for (const auto& [thread, next] : std::exchange(undecided, {})) {
      thread->Post([&decided, next = next] {
        ++decided;
        next(std::nullopt);
      });
    }
  };
  ExpectNothingLeft(
      [&] { return decided.load(); },
      {.sentences = OpensWebSocket({SendsFrame("40"), SendsBytes(FrameBytes(0x89, "")),
                                    &LeakClient::IsAnswered, &LeakClient::LeaveWebSocket}),
       .after_group = decide});
}

TEST_F(LeakOfSocketTest, DroppedWhileAttachmentsAreMissing) {
  ExpectNothingLeft([this] { return lost(); },
                    {.sentences = Joins({SendsFrame(R"(452-["file",{"_placeholder":true,"num":0},)"
                                                    R"({"_placeholder":true,"num":1}])"),
                                         SendsBytes(FrameBytes(0x82, "the first")),
                                         SendsBytes(FrameBytes(0x89, "")), &LeakClient::IsAnswered,
                                         &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, OnPollingDroppedWhileAttachmentsAreMissing) {
  ExpectNothingLeft(
      [this] { return left(DisconnectReason::kTransportClose); },
      {.sentences = JoinsByPolling({SendsPost(R"(451-["file",{"_placeholder":true,"num":0}])"),
                                    IsAnswered("ok"), SendsPost("1"), IsAnswered("ok"),
                                    &LeakClient::LeaveHttp})});
}

TEST_F(LeakOfSocketTest, TheClientLeavesTheNamespaceAndComesAgain) {
  ExpectNothingLeft([this] { return left(DisconnectReason::kClientNamespaceDisconnect); },
                    {.sentences = Joins({SendsFrame("41"), SendsFrame("40"), ReadsFrame("40{"),
                                         SendsFrame("41"), SendsBytes(FrameBytes(0x88, "")),
                                         &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, TheServerEndsTheMembership) {
  server().Of("/").On("leave", [](Socket& socket, const Json&, Ack) { socket.Disconnect(); });
  ExpectNothingLeft([this] { return left(DisconnectReason::kServerNamespaceDisconnect); },
                    {.sentences = Joins({SendsFrame(R"(42["leave"])"), ReadsFrame("41"),
                                         &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, TheServerEndsTheConnection) {
  server().Of("/").On("close", [](Socket& socket, const Json&, Ack) {
    socket.CloseConnection(DisconnectReason::kForcedServerClose);
  });
  ExpectNothingLeft([this] { return left(DisconnectReason::kForcedServerClose); },
                    {.sentences = Joins({SendsFrame(R"(42["close"])"), &LeakClient::ReadEnd,
                                         &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, AcknowledgementsAreAwaitedAtTheDrop) {
  std::atomic<size_t> called = 0;
  std::atomic<size_t> unanswered = 0;
  server().Of("/").OnConnect([&](Socket& socket) {
    for (int i = 0; i < 3; ++i) {
      // What the user keeps in a callback goes with the answer.
      socket.EmitWithAck("question", Json::array(), milliseconds(60'000),
                         [&, keeps = socket.shared_from_this()](absl::Status status, const Json&) {
                           ++called;
                           unanswered += absl::IsUnavailable(status) ? 1 : 0;
                         });
    }
  });
  // The client answers one of them, if the drop does not overtake that.
  ExpectNothingLeft(
      [&] { return std::min(called / 3, unanswered / 2); },
      {.sentences = Joins({ReadsFrame("420["), SendsFrame("430[]"), &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, AnAcknowledgementIsKeptByTheUserAtTheDrop) {
  std::mutex mutex;
  std::vector<std::pair<IoThread*, Ack>> kept;
  server().Of("/").On("question", [&](Socket& socket, const Json&, Ack ack) {
    std::lock_guard lock(mutex);
    kept.emplace_back(&socket.thread(), std::move(ack));
  });
  const auto answer = [&] {
    std::lock_guard lock(mutex);
    for (auto& [thread, ack] : std::exchange(kept, {})) {
      thread->Post([ack = std::move(ack)]() mutable { ack(Json::array()); });
    }
  };
  ExpectNothingLeft(
      [this] { return lost(); },
      {.sentences = Joins({SendsFrame(R"(427["question"])"), SendsBytes(FrameBytes(0x89, "")),
                           &LeakClient::IsAnswered, &LeakClient::LeaveWebSocket}),
       .after_group = answer});
}

TEST_F(LeakOfSocketTest, EventsThatAreNotReadAtTheDrop) {
  server().Of("/").OnConnect([](Socket& socket) {
    socket.SetLastArgument([](const Tag&) { return std::string("offset"); });
    const EncodedEvent event = EncodedEvent::FromJson("big", "\"" + std::string(2'000, 'x') + "\"",
                                                      std::make_shared<int>(1));
    for (int i = 0; i < 5; ++i) socket.Emit(event);
    socket.EmitTagged("binary", {Json::binary({1, 2, 3})}, std::make_shared<int>(2));
  });
  ExpectNothingLeft([this] { return lost(); },
                    {.sentences = OpensWebSocket({SendsFrame("40"), &LeakClient::IsAnswered,
                                                  &LeakClient::LeaveWebSocket})});
}

TEST_F(LeakOfSocketTest, BrokenPackets) {
  ExpectNothingLeft(
      [this] { return left(DisconnectReason::kParseError); },
      {.sentences = Joins({SendsFrame("42{"), &LeakClient::ReadEnd, &LeakClient::LeaveWebSocket})});
}

}  // namespace
}  // namespace sessioncast::socketio
