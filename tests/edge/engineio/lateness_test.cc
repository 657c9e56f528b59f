// How late the heartbeat is for some hundred clients at once, as they see it. Under load it is late
// and never early, so only earliness is an error, and a lateness that no load explains.
#include <poll.h>

#include <atomic>
#include <cstdio>

#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using std::chrono::milliseconds;
using tests::RawTcp;

constexpr milliseconds kPingInterval{1'000};
// So long that no ping is still unread when the end comes.
constexpr milliseconds kPingTimeout{2'000};
constexpr milliseconds kLatenessMax{10'000};
constexpr size_t kClientsOfEachTransport = 200;

// A client that has its open packet, and hears two things more: the ping, and the end.
struct LateClient {
  RawTcp tcp;
  Clock::time_point accepted;
  std::string next_request;  // sent when the ping has come
  int heard = 0;
};

class LatenessTest : public EngineTest {
 protected:
  LatenessTest() {
    options_.connection.ping_interval = kPingInterval;
    options_.connection.ping_timeout = kPingTimeout;
    // Before the ping is armed, and so a bound of earliness.
    options_.accept = [this](Connection& connection) {
      accepted_ = Clock::now();
      return std::make_unique<EchoSink>(connection, closes_);
    };
  }

  void OpenWebSocket() {
    RawTcp tcp(port());
    tests::Send(tcp, {"GET",
                      kWebSocket,
                      {{"Connection", "Upgrade"},
                       {"Upgrade", "websocket"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}},
                      ""});
    ASSERT_EQ(tests::ReadResponse(tcp).status, 101);
    // The open packet is one short frame.
    while (tcp.buffer().find('}') == std::string::npos) {
      ASSERT_TRUE(tcp.ReadSome());
    }
    tcp.buffer().clear();
    clients_.push_back({std::move(tcp), accepted_, ""});
  }

  void OpenPollingThatPolls() {
    RawTcp tcp(port());
    tests::Send(tcp, {"GET", kPolling, {}, ""});
    const std::string sid = SidOf(tests::ReadResponse(tcp).body);
    ASSERT_NE(sid, "");
    const std::string poll = tests::Format({"GET", PollTarget(sid), {}, ""});
    ASSERT_TRUE(tcp.Send(poll));
    clients_.push_back({std::move(tcp), accepted_, poll});
  }

  // Reads until each client has heard its ping and its end.
  void HearAll() {
    std::vector<pollfd> waits;
    for (const LateClient& client : clients_) waits.push_back({client.tcp.descriptor(), POLLIN, 0});
    for (size_t left = clients_.size(); left > 0;) {
      const auto patience = static_cast<int>((kPingInterval + kLatenessMax).count());
      ASSERT_GT(poll(waits.data(), waits.size(), patience), 0);
      for (size_t i = 0; i < waits.size(); ++i) {
        if (waits[i].revents == 0) continue;
        Hear(clients_[i]);
        if (HasFatalFailure()) return;
        if (clients_[i].heard < 2) continue;
        waits[i].fd = -1;  // poll leaves it out
        --left;
      }
    }
  }

  void Hear(LateClient& client) {
    const Clock::time_point now = Clock::now();
    ASSERT_TRUE(client.tcp.ReadSome());
    client.tcp.buffer().clear();
    ++client.heard;
    if (client.heard == 2) {
      closes_late_.push_back(now - client.accepted - kPingInterval - kPingTimeout);
      return;
    }
    pings_late_.push_back(now - client.accepted - kPingInterval);
    if (client.next_request.empty()) return;
    ASSERT_TRUE(client.tcp.Send(client.next_request));
  }

  static void ExpectInTime(const char* what, std::vector<Clock::duration> late) {
    ASSERT_EQ(late.size(), 2 * kClientsOfEachTransport);
    std::sort(late.begin(), late.end());
    const auto ms = [](Clock::duration time) {
      return std::chrono::duration<double, std::milli>(time).count();
    };
    std::printf("%-8s of %zu clients come late by p50 %.3f ms, p99 %.3f ms, at most %.3f ms\n",
                what, late.size(), ms(late[late.size() / 2]), ms(late[late.size() * 99 / 100]),
                ms(late.back()));
    EXPECT_GE(ms(late.front()), 0) << what << " that come early";
    EXPECT_LE(ms(late.back()), ms(kLatenessMax)) << what;
  }

  std::atomic<Clock::time_point> accepted_;  // the last; clients come one after the other
  std::vector<LateClient> clients_;
  std::vector<Clock::duration> pings_late_;
  std::vector<Clock::duration> closes_late_;
};

TEST_F(LatenessTest, PingsAndPingTimeoutsOfHundredsOfClientsComeInTime) {
  for (size_t i = 0; i < kClientsOfEachTransport; ++i) {
    OpenWebSocket();
    OpenPollingThatPolls();
    if (HasFatalFailure()) return;
  }
  HearAll();
  if (HasFatalFailure()) return;
  ExpectInTime("pings", pings_late_);
  ExpectInTime("closes", closes_late_);
  for (const DisconnectReason reason : closes_.WaitFor(clients_.size())) {
    EXPECT_EQ(ToString(reason), "ping timeout");
  }
}

}  // namespace
}  // namespace sessioncast::engineio
