#include "tools/daemon/log_gate.h"

#include "gtest/gtest.h"

namespace sessioncast::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LogGateTest, TenLinesAtOnceThenOneASecondWithTheCountOfTheOthers) {
  LogGate gate;
  const LogGate::Clock::time_point start = LogGate::Clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gate.Pass(start), "");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(gate.Pass(start + milliseconds(999)), std::nullopt);
  EXPECT_EQ(gate.Pass(start + seconds(1)), " (5 more such lines held back)");
  EXPECT_EQ(gate.Pass(start + seconds(1)), std::nullopt);
  EXPECT_EQ(gate.Pass(start + seconds(2)), " (1 more such lines held back)");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gate.Pass(start + seconds(20)), "");
  EXPECT_EQ(gate.Pass(start + seconds(20)), std::nullopt);
}

}  // namespace
}  // namespace sessioncast::daemon
