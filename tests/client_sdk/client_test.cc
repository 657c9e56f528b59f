// What a Client does while control is away, and when it is back.
#include "sessioncast/client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/client_sdk/listener.h"

namespace sessioncast::tests {
namespace {

// An attempt may take 2 s, the pause between two as long; the machine may be busy.
constexpr std::chrono::milliseconds kPatience{30'000};

struct NamedCall {
  std::string name;
  std::function<absl::Status(Client&)> call;
};

void PrintTo(const NamedCall& call, std::ostream* out) { *out << call.name; }

class ClientTest : public testing::TestWithParam<NamedCall> {
 protected:
  // gRPC itself never polls, so that a connection is not made by its luck.
  static void SetUpTestSuite() { setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", 1); }
};

TEST_P(ClientTest, FailsAtOnceWhileControlIsAwayAndConnectsWhenItIsBackThoughNobodyCalls) {
  Listener control;
  // Who waited for control would wait until the deadline, and say so.
  Client client({.control = control.address(), .call_timeout = kPatience});
  // The first call sees an attempt fail; the second comes when there is none to wait for.
  EXPECT_EQ(GetParam().call(client).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetParam().call(client).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(control.AwaitClient(kPatience));
}

INSTANTIATE_TEST_SUITE_P(
    EachCall, ClientTest,
    testing::Values(
        NamedCall{"Publish", [](Client& client) { return client.Publish({}, "key").status(); }},
        NamedCall{"PublishMany",
                  [](Client& client) {
                    std::vector<v1::PublishOutcome> outcomes;
                    return client.PublishMany({{}}, outcomes);
                  }},
        NamedCall{"Stream",
                  [](Client& client) {
                    return client.Stream("session", std::nullopt,
                                         [](const v1::Event&) { return true; });
                  }},
        NamedCall{"GetSession",
                  [](Client& client) { return client.GetSession("session").status(); }},
        NamedCall{"ListSessions",
                  [](Client& client) { return client.ListSessions(1, "").status(); }},
        NamedCall{"Ask", [](Client& client) { return client.Ask({}).status(); }},
        NamedCall{"Answer",
                  [](Client& client) { return client.Answer("session", "id", "yes").status(); }},
        NamedCall{"Cancel",
                  [](Client& client) { return client.Cancel("session", "id").status(); }}),
    [](const testing::TestParamInfo<NamedCall>& info) { return info.param.name; });

}  // namespace
}  // namespace sessioncast::tests
