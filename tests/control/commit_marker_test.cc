#include "control/commit_marker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

using control::CommitMarker;
using Found = CommitMarker::Found;

constexpr size_t kSlotBytes = 512;

class CommitMarkerTest : public testing::Test {
 protected:
  std::unique_ptr<CommitMarker> Open() {
    absl::StatusOr<std::unique_ptr<CommitMarker>> marker = CommitMarker::Open(directory_.path());
    EXPECT_TRUE(marker.ok()) << marker.status();
    return *std::move(marker);
  }

  // Turns the bits of one byte.
  void Damage(size_t at) {
    std::fstream file(directory_.path() + "/commits.marker",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(~file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    ASSERT_TRUE(file.good());
  }

  TemporaryDirectory directory_;
};

TEST_F(CommitMarkerTest, WhatWasWrittenIsReadAgain) {
  EXPECT_EQ(Open()->found(), Found::kNew);
  for (const uint64_t commits : {uint64_t{0}, uint64_t{7}, uint64_t{8}, ~uint64_t{0}}) {
    ASSERT_TRUE(Open()->Write(commits).ok());
    const std::unique_ptr<CommitMarker> again = Open();
    EXPECT_EQ(again->found(), Found::kMark);
    EXPECT_EQ(again->commits(), commits);
  }
}

TEST_F(CommitMarkerTest, ATornWriteLeavesTheOneBefore) {
  {
    const std::unique_ptr<CommitMarker> marker = Open();
    ASSERT_TRUE(marker->Write(5).ok());  // the first slot
    ASSERT_TRUE(marker->Write(6).ok());  // the second
  }
  Damage(kSlotBytes);
  const std::unique_ptr<CommitMarker> marker = Open();
  EXPECT_EQ(marker->found(), Found::kMark);
  EXPECT_EQ(marker->commits(), 5u);
  ASSERT_TRUE(marker->Write(7).ok());
  Damage(0);
  EXPECT_EQ(Open()->commits(), 7u) << "the torn slot was the one to be written";
}

TEST_F(CommitMarkerTest, AFileInWhichNothingCanBeReadIsNotANewOne) {
  {
    const std::unique_ptr<CommitMarker> marker = Open();
    ASSERT_TRUE(marker->Write(5).ok());
  }
  Damage(3);
  EXPECT_EQ(Open()->found(), Found::kDamaged);
}

TEST_F(CommitMarkerTest, ADirectoryThatIsNotThereIsAnError) {
  const auto marker = CommitMarker::Open(directory_.path() + "/nowhere");
  EXPECT_TRUE(absl::IsUnavailable(marker.status())) << marker.status();
}

}  // namespace
}  // namespace sessioncast::test
