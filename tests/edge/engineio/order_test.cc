// Requests and frames of one connection are handled in the order in which they arrive, whichever
// TCP connections bring them and however busy the I/O threads are.
#include <future>

#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::RawTcp;
using tests::RawWebSocket;
using tests::ReadResponse;
using tests::Send;

// Stops whoever passes until it is opened.
class Gate {
 public:
  void Pass() {
    reached_.set_value();
    opened_.get_future().wait_for(tests::kPatience);
  }
  bool IsReached() {
    return reached_.get_future().wait_for(tests::kPatience) == std::future_status::ready;
  }
  void Open() { opened_.set_value(); }

 private:
  std::promise<void> reached_;
  std::promise<void> opened_;
};

class OrderTest : public EngineTest {
 protected:
  // Echoes; "hold" keeps its I/O thread busy until Release.
  class HoldingSink : public EchoSink {
   public:
    HoldingSink(Connection& connection, OrderTest& test)
        : EchoSink(connection, test.closes_), test_(test) {}
    void OnText(std::string_view text) override {
      if (text != "hold") return EchoSink::OnText(text);
      test_.hold_.Pass();
    }

   private:
    OrderTest& test_;
  };

  OrderTest() {
    options_.accept = [this](Connection& connection) {
      return std::make_unique<HoldingSink>(connection, *this);
    };
  }

  static size_t ThreadOf(const std::string& sid) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return kAlphabet.find(sid.front()) % 2;
  }
  // The sid of a new polling connection on this thread.
  std::string OpenPollingOn(size_t thread) {
    std::string sid = OpenPolling();
    while (options_.io_threads > 1 && ThreadOf(sid) != thread) sid = OpenPolling();
    return sid;
  }
  // The thread is busy until Release.
  void Hold(size_t thread) {
    holder_ = std::make_unique<RawWebSocket>(Upgraded(OpenPollingOn(thread)));
    holder_->SendText("4hold");
    ASSERT_TRUE(hold_.IsReached());
  }
  void Release() { hold_.Open(); }

  RawWebSocket Upgraded(const std::string& sid) {
    RawWebSocket socket = Probed(sid);
    socket.SendText("5");
    socket.SendText("4on");
    EXPECT_EQ(socket.ReadText(), "4on");
    return socket;
  }
  RawWebSocket Probed(const std::string& sid) {
    RawWebSocket socket(port(), UpgradeTarget(sid));
    socket.SendText("2probe");
    EXPECT_EQ(socket.ReadText(), "3probe");
    return socket;
  }
  // A TCP connection that has served a request of the session, and waits for another.
  RawTcp KeptAlive(const std::string& sid) {
    RawTcp tcp(port());
    Send(tcp, {"POST", PollTarget(sid), {}, "3"});
    EXPECT_EQ(ReadResponse(tcp).body, "ok");
    return tcp;
  }

  Gate hold_;
  std::unique_ptr<RawWebSocket> holder_;
};

TEST_F(OrderTest, APollOnANewTcpConnectionPrecedesAPostThatFollowsOnAnOldOne) {
  options_.io_threads = 1;
  const std::string sid = OpenPolling();
  RawTcp post = KeptAlive(sid);
  Hold(0);
  RawTcp poll(port());
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  Send(post, {"POST", PollTarget(sid), {}, "1"});
  Release();
  EXPECT_EQ(ReadResponse(poll).body, "6");
  EXPECT_EQ(ReadResponse(post).body, "ok");
}

TEST_F(OrderTest, APollOnAnOldTcpConnectionPrecedesAPostThatFollowsOnANewOne) {
  options_.io_threads = 1;
  const std::string sid = OpenPolling();
  RawTcp poll = KeptAlive(sid);
  Hold(0);
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  RawTcp post(port());
  Send(post, {"POST", PollTarget(sid), {}, "1"});
  Release();
  EXPECT_EQ(ReadResponse(poll).body, "6");
  EXPECT_EQ(ReadResponse(post).body, "ok");
}

TEST_F(OrderTest, ATcpConnectionThatBroughtARequestIsNotAheadWithItsNextOne) {
  Gate gate;
  options_.io_threads = 1;
  options_.on_request = [&gate](IoThread&, const HttpRequest&, HttpReply reply) {
    gate.Pass();
    reply({200, {}, "passed"});
  };
  const std::string sid = OpenPolling();
  Hold(0);
  RawTcp post(port());
  Send(post, {"GET", "/gate", {}, ""});
  Release();
  ASSERT_TRUE(gate.IsReached());
  RawTcp poll(port());
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  Send(post, {"POST", PollTarget(sid), {}, "1"});
  gate.Open();
  EXPECT_EQ(ReadResponse(post).body, "passed");
  EXPECT_EQ(ReadResponse(poll).body, "6");
  EXPECT_EQ(ReadResponse(post).body, "ok");
}

TEST_F(OrderTest, RequestsOnNewTcpConnectionsAreHandledInTurn) {
  options_.io_threads = 1;
  const std::string sid = OpenPolling();
  Hold(0);
  std::vector<RawTcp> posts;
  for (int i = 0; i < 10; ++i) {
    posts.emplace_back(port());
    Send(posts.back(), {"POST", PollTarget(sid), {}, "4" + std::to_string(i)});
  }
  Release();
  for (RawTcp& post : posts) EXPECT_EQ(ReadResponse(post).body, "ok");
  EXPECT_EQ(Poll(sid).body,
            "40\x1e" "41\x1e" "42\x1e" "43\x1e" "44\x1e" "45\x1e" "46\x1e" "47\x1e" "48\x1e" "49");
}

TEST_F(OrderTest, ARequestThatAnotherThreadAcceptedFollowsWhatCameBeforeIt) {
  options_.io_threads = 2;
  const std::string sid = OpenPollingOn(1);
  RawTcp poll = KeptAlive(sid);
  Hold(1);
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  RawTcp post(port());
  Send(post, {"POST", PollTarget(sid), {}, "1"});
  // The accepting thread takes its TCP connections in turn: it has passed the POST on.
  EXPECT_EQ(Get("/nowhere").status, 404);
  Release();
  EXPECT_EQ(ReadResponse(poll).body, "6");
  EXPECT_EQ(ReadResponse(post).body, "ok");
}

TEST_F(OrderTest, ARequestRightBehindTheUpgradeIsRefused) {
  options_.io_threads = 2;
  const std::string sid = OpenPollingOn(1);
  RawWebSocket socket = Probed(sid);
  Hold(1);
  socket.SendText("5");
  RawTcp poll(port());
  Send(poll, {"GET", PollTarget(sid), {}, ""});
  EXPECT_EQ(Get("/nowhere").status, 404);
  Release();
  EXPECT_EQ(ReadResponse(poll).body, R"({"code":3,"message":"Bad request"})");
  socket.SendText("4on");
  EXPECT_EQ(socket.ReadText(), "4on");
}

}  // namespace
}  // namespace sessioncast::engineio
