#include "edge/census.h"

#include <future>

#include "gtest/gtest.h"

namespace sessioncast::edge {
namespace {

using engineio::IoThread;

class CensusTest : public testing::Test {
 protected:
  CensusTest() {
    for (size_t i = 0; i < 2; ++i) threads_.push_back(std::make_unique<IoThread>(i));
    for (const auto& thread : threads_) thread->Start();
  }
  ~CensusTest() override {
    for (const auto& thread : threads_) thread->Stop();
  }

  // Thread 0 has 1 connection and so on, thread 1 has 10; more with each count.
  Census::Counts Count(const IoThread& thread) {
    EXPECT_TRUE(thread.IsCurrent());
    size_t& counted = counted_[thread.index()];
    ++counted;
    const size_t value = thread.index() == 0 ? counted : 10 * counted;
    return {.connections = value,
            .queued_bytes = value + 1,
            .attached = value + 2,
            .hub = {.sessions = value + 3,
                    .live = value + 4,
                    .behind = value + 5,
                    .skipped = value + 6,
                    .overflowed = value + 7}};
  }

  std::vector<std::unique_ptr<IoThread>> threads_;
  size_t counted_[2] = {0, 0};  // each its thread's
};

TEST_F(CensusTest, EachThreadCountsItsOwnAndAllIsAdded) {
  Census census(threads_, [this](const IoThread& thread) { return Count(thread); },
                {.wait_max = std::chrono::seconds(30)});
  const Census::Counts all = census.Take();
  EXPECT_EQ(all.connections, 11U);
  EXPECT_EQ(all.queued_bytes, 13U);
  EXPECT_EQ(all.attached, 15U);
  EXPECT_EQ(all.hub.sessions, 17U);
  EXPECT_EQ(all.hub.live, 19U);
  EXPECT_EQ(all.hub.behind, 21U);
  EXPECT_EQ(all.hub.skipped, 23U);
  EXPECT_EQ(all.hub.overflowed, 25U);
  EXPECT_EQ(census.Take().connections, 22U);
}

TEST_F(CensusTest, AThreadThatDoesNotAnswerCountsAsItLastDidAndIsAskedOnce) {
  Census census(threads_, [this](const IoThread& thread) { return Count(thread); },
                {.wait_max = std::chrono::milliseconds(20)});
  while (census.Take().connections < 11) {  // both have answered
  }
  std::promise<void> release;
  std::promise<size_t> counted_before;
  threads_[1]->Post([this, &counted_before, released = release.get_future().share()] {
    counted_before.set_value(counted_[1]);
    released.wait();
  });
  const size_t before = counted_before.get_future().get();
  for (int i = 0; i < 3; ++i) {
    // Its last answer is still there, and what the other one says is new.
    EXPECT_GE(census.Take().connections, 10 * before);
  }
  release.set_value();
  std::promise<size_t> counted_after;
  threads_[1]->Post([this, &counted_after] { counted_after.set_value(counted_[1]); });
  EXPECT_LE(counted_after.get_future().get(), before + 1);
}

}  // namespace
}  // namespace sessioncast::edge
