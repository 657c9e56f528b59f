// Keys and records of the store that are damaged.
#include "control/rocksdb_records.h"

#include <gtest/gtest.h>

#include <string>

namespace sessioncast::control {
namespace {

TEST(RocksDbRecordsTest, AKeyThatIsTooShortForADeadlineIsDataLoss) {
  const std::string key = DeadlineKey({absl::FromUnixMillis(1'795'473'903'123), "s", "q"});
  ASSERT_TRUE(ReadDeadline(key).ok());
  // Up to the zero byte behind the session.
  for (size_t size = 0; size < key.size() - 2; ++size) {
    EXPECT_TRUE(absl::IsDataLoss(ReadDeadline(key.substr(0, size)).status())) << size;
  }
}

}  // namespace
}  // namespace sessioncast::control
