#include "tools/daemon/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sessioncast::daemon {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What a GET is answered, head and body; empty if nobody listens.
std::string Get(uint16_t port, const std::string& path) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(send(descriptor, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    char bytes[4096];
    for (ssize_t size = 0; (size = recv(descriptor, bytes, sizeof(bytes), 0)) > 0;) {
      answer.append(bytes, static_cast<size_t>(size));
    }
  }
  close(descriptor);
  return answer;
}

std::vector<Metric> Readers(double live) {
  return {
      {.name = "test_readers", .help = "Who reads", .value = live, .labels = {{"state", "live"}}},
      {.name = "test_events_total",
       .help = "What was read",
       .kind = Metric::Kind::kCounter,
       .value = 1234567890123.0,
       .labels = {}},
      {.name = "test_readers", .help = "Who reads", .value = 2, .labels = {{"state", "behind"}}}};
}

std::unique_ptr<MetricsListener> Listen(const std::string& address,
                                        std::vector<MetricsListener::Source> sources) {
  auto listener = MetricsListener::Start({.listen = address}, std::move(sources));
  EXPECT_TRUE(listener.ok()) << listener.status();
  return listener.ok() ? *std::move(listener) : nullptr;
}

TEST(MetricsTest, AScrapeIsPrometheusTextOfWhatTheSourcesSayAtThatMoment) {
  double live = 7;
  const auto listener = Listen("localhost:0", {[&live] { return Readers(live); }});
  ASSERT_NE(listener, nullptr);
  const std::string first = Get(listener->port(), "/metrics");
  EXPECT_THAT(first, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: text/plain"),
                           HasSubstr("# HELP test_readers Who reads\n# TYPE test_readers gauge\n"
                                     "test_readers{state=\"live\"} 7\n"
                                     "test_readers{state=\"behind\"} 2\n"),
                           HasSubstr("# TYPE test_events_total counter\n"
                                     "test_events_total 1234567890123\n"),
                           HasSubstr("process_start_time_seconds 1")));
  live = 8;
  EXPECT_THAT(Get(listener->port(), "/metrics"), HasSubstr("test_readers{state=\"live\"} 8\n"));
}

TEST(MetricsTest, NothingElseIsServed) {
  const auto listener = Listen("127.0.0.1:0", {});
  ASSERT_NE(listener, nullptr);
  for (const char* path : {"/", "/etc/passwd", "/../../etc/passwd", "/metric"}) {
    EXPECT_THAT(Get(listener->port(), path), Not(HasSubstr(" 200 "))) << path;
  }
}

TEST(MetricsTest, SourcesAreNotAskedOnceDetached) {
  int asked = 0;
  const auto listener = Listen("localhost:0", {[&asked] { return ++asked, Readers(1); }});
  ASSERT_NE(listener, nullptr);
  EXPECT_THAT(Get(listener->port(), "/metrics"), HasSubstr("test_readers"));
  listener->Detach();
  EXPECT_THAT(Get(listener->port(), "/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 "), Not(HasSubstr("test_readers"))));
  EXPECT_EQ(asked, 1);
}

TEST(MetricsTest, WithoutAnAddressNobodyListens) {
  const auto listener = Listen("", {[] { return Readers(1); }});
  ASSERT_NE(listener, nullptr);
  EXPECT_EQ(listener->port(), 0);
  listener->Detach();
}

TEST(MetricsTest, ABusyPortIsSaidWithTheFlagAndTheAddress) {
  const auto first = Listen("127.0.0.1:0", {});
  ASSERT_NE(first, nullptr);
  const std::string address = absl::StrCat("127.0.0.1:", first->port());
  const auto second = MetricsListener::Start({.listen = address}, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().message(),
            absl::StrCat("metrics_listen: ", address, ": Address already in use"));
}

TEST(MetricsTest, ABadAddressIsSaidWithTheFlagAndTheAddress) {
  for (const char* address : {"9090", ":9090", "localhost", "localhost:", "localhost:x",
                              "localhost:65536", "localhost:-1", "no host:1", "127.0.0.1:1,2"}) {
    const auto listener = MetricsListener::Start({.listen = address}, {});
    ASSERT_FALSE(listener.ok()) << address;
    EXPECT_EQ(listener.status().code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(listener.status().message()),
                StartsWith(absl::StrCat("metrics_listen: ", address, ": ")));
  }
}

// Debian's civetweb is built without IPv6; another may have it.
TEST(MetricsTest, AnIpv6AddressIsListenedOnOrRefusedWithTheReason) {
  const auto listener = MetricsListener::Start({.listen = "[::1]:0"}, {});
  if (listener.ok()) {
    EXPECT_NE((*listener)->port(), 0);
  } else {
    EXPECT_THAT(std::string(listener.status().message()), StartsWith("metrics_listen: [::1]:0: "));
    EXPECT_THAT(std::string(listener.status().message()),
                testing::AnyOf(HasSubstr("IPv6"), HasSubstr("address")));
  }
}

TEST(MetricsTest, TheFlagAndItsVariableSayWhere) {
  MetricsOptions options;
  CLI::App app;
  AddMetricsFlags(app, options);
  app.parse("--metrics_listen=localhost:1", false);
  EXPECT_EQ(options.listen, "localhost:1");
  ASSERT_EQ(setenv("SESSIONCAST_METRICS_LISTEN", "localhost:2", 1), 0);
  app.parse("", false);
  EXPECT_EQ(options.listen, "localhost:2");
  unsetenv("SESSIONCAST_METRICS_LISTEN");
}

}  // namespace
}  // namespace sessioncast::daemon
