#include "tools/daemon/stop_deadline.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "gtest/gtest.h"

namespace sessioncast::daemon {
namespace {

TEST(StopDeadlineTest, AProcessThatDoesNotStopInTimeIsEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const StopDeadline deadline(std::chrono::milliseconds(10));
        pause();
      },
      testing::ExitedWithCode(StopDeadline::kExitCode), "");
}

TEST(StopDeadlineTest, AProcessThatStopsInTimeEndsAsItWould) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        { const StopDeadline deadline(std::chrono::hours(1)); }
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sessioncast::daemon
