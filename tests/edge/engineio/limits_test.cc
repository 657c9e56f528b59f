// Limits of all connections together: how many, of one address, and what is queued for them.
#include <mutex>

#include "tests/edge/engineio/engine_fixture.h"

namespace sessioncast::engineio {
namespace {

using tests::RawResponse;
using tests::RawWebSocket;

class LimitsTest : public EngineTest {
 protected:
  LimitsTest() {
    options_.on_limit_reached = [this](std::string_view limit, std::string_view what) {
      std::lock_guard lock(mutex_);
      reached_.push_back(std::string(limit) + ": " + std::string(what));
    };
  }

  std::vector<std::string> Reached() {
    std::lock_guard lock(mutex_);
    return reached_;
  }
  RawResponse HandshakeFrom(const std::string& forwarded_for) {
    return Get(kPolling, {{"X-Forwarded-For", forwarded_for}});
  }
  void LeavePolling(const std::string& sid) { EXPECT_EQ(Post(sid, "1").status, 200); }

 private:
  std::mutex mutex_;
  std::vector<std::string> reached_;
};

TEST_F(LimitsTest, OneConnectionMoreThanTheLimitIsTurnedAwayAndNextTimeLetIn) {
  options_.connections_max = 2;
  const std::string first = OpenPolling();
  const RawWebSocket second(port(), kWebSocket);
  EXPECT_EQ(second.response().status, 101);
  const RawResponse refused = Get(kPolling);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body, "Too many connections (connections_max)");
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(RawWebSocket(port(), kWebSocket).response().status, 503);
  EXPECT_EQ(Reached(), (std::vector<std::string>(2, "connections_max: 127.0.0.1 was turned away")));
  LeavePolling(first);
  EXPECT_EQ(Get(kPolling).status, 200);
}

TEST_F(LimitsTest, ConnectionsOfAnAddressAreCountedUntilTheyEnd) {
  options_.connections_per_address_max = 2;
  const std::string first = OpenPolling();
  const RawWebSocket second(port(), kWebSocket);
  const RawResponse refused = Get(kPolling);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.body, "Too many connections of one address (connections_per_address_max)");
  EXPECT_EQ(RawWebSocket(port(), kWebSocket).response().status, 429);
  LeavePolling(first);
  EXPECT_EQ(RawWebSocket(port(), kWebSocket, {{"Sec-WebSocket-Version", "8"}}).response().status, 426)
      << "which opens nothing, and counts for nothing";
  EXPECT_EQ(Get(kPolling).status, 200);
  EXPECT_EQ(Get(kPolling).status, 429);
}

TEST_F(LimitsTest, WhatAClientSaysOfItsAddressCountsOnlyBehindATrustedProxy) {
  options_.connections_per_address_max = 1;
  EXPECT_EQ(HandshakeFrom("192.0.2.1").status, 200);
  EXPECT_EQ(HandshakeFrom("192.0.2.2").status, 429) << "the peer is the same";
}

TEST_F(LimitsTest, BehindATrustedProxyEachClientHasItsOwnCount) {
  options_.connections_per_address_max = 1;
  options_.trusted_proxies = {"127.0.0.0/8"};
  std::mutex mutex;
  std::vector<std::string> addresses;
  options_.accept = [&, accept = options_.accept](Connection& connection) {
    const std::lock_guard lock(mutex);
    addresses.push_back(connection.first_request().address);
    return accept(connection);
  };
  EXPECT_EQ(HandshakeFrom("192.0.2.1").status, 200);
  EXPECT_EQ(HandshakeFrom("192.0.2.2").status, 200);
  EXPECT_EQ(HandshakeFrom("192.0.2.3, 192.0.2.1").status, 429) << "made up on the left";
  EXPECT_EQ(Reached(),
            (std::vector<std::string>{"connections_per_address_max: 192.0.2.1 was turned away"}));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(addresses, (std::vector<std::string>{"192.0.2.1", "192.0.2.2"}));
}

TEST_F(LimitsTest, ANetworkThatIsNoneIsToldAtTheStart) {
  options_.trusted_proxies = {"10.0.0.0/8", "10.0.0.0/99"};
  const absl::Status status = Engine(options_).Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("trusted_proxies: \"10.0.0.0/99\""), absl::string_view::npos);
}

TEST_F(LimitsTest, PastTheLimitOnWhatIsQueuedForAllTheLongestQueuesEnd) {
  options_.io_threads = 1;
  options_.queued_bytes_max = 9'000'000;
  options_.connection.queue_bytes_max = 64'000'000;  // not reached, whoever is read first
  // A message of a megabyte, of which the kernel takes a part.
  std::vector<RawWebSocket> readers_of_nothing;
  for (int i = 0; i < 4; ++i) readers_of_nothing.emplace_back(port(), kWebSocket);
  RawWebSocket beside(port(), kWebSocket);
  EXPECT_EQ(SidOf(beside.ReadText()).size(), 20u);
  for (int round = 0; round < 20; ++round) {
    for (RawWebSocket& each : readers_of_nothing) each.SendText("4big");
  }
  const std::vector<DisconnectReason> reasons = closes_.WaitFor(1);
  ASSERT_FALSE(reasons.empty());
  EXPECT_EQ(reasons.front(), DisconnectReason::kSlowConsumer);
  beside.SendText("4still here");
  EXPECT_EQ(beside.ReadText(), "4still here");
  const std::vector<std::string> reached = Reached();
  ASSERT_FALSE(reached.empty());
  EXPECT_NE(reached.front().find("queued_bytes_max: "), std::string::npos) << reached.front();
  EXPECT_LE(engine_->CountHeld().queued_bytes, options_.queued_bytes_max);
}

TEST_F(LimitsTest, WhatIsQueuedUpToTheLimitOfAllStays) {
  options_.io_threads = 1;
  options_.queued_bytes_max = 16'000'000;
  RawWebSocket reader(port(), kWebSocket);
  EXPECT_EQ(SidOf(reader.ReadText()).size(), 20u);
  for (int i = 0; i < 15; ++i) reader.SendText("4big");
  for (int i = 0; i < 15; ++i) EXPECT_EQ(reader.ReadText().size(), 1'000'001u);
  EXPECT_EQ(Reached(), std::vector<std::string>());
}

}  // namespace
}  // namespace sessioncast::engineio
