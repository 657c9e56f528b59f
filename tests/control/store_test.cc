// The store's contract, over both implementations; and what RocksDB alone has: it opens again.
#include "control/store.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "control/history.h"
#include "control/memory_store.h"
#include "control/rocksdb_store.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

using control::AppendOutcome;
using control::Deadline;
using control::Store;
using control::StoreAppend;
using control::StoreAppendPtr;
using control::StoredEventPtr;
using control::StoreRange;

using Sequences = std::vector<uint64_t>;

// One append of custom events with the sequences first..last.
StoreAppend Events(const std::string& session_id, const std::string& epoch, uint64_t first,
                   uint64_t last) {
  StoreAppend append;
  append.session_id = session_id;
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    v1::Event event = CustomEvent(session_id, "n" + std::to_string(sequence));
    *event.mutable_position() = PositionAt(epoch, sequence);
    *event.mutable_time() =
        control::ToTimestamp(absl::FromUnixSeconds(static_cast<int64_t>(sequence)));
    append.events.push_back(
        control::MakeStoredEvent(event, "key" + std::to_string(sequence), sequence));
  }
  append.summary.set_session_id(session_id);
  *append.summary.mutable_position() = PositionAt(epoch, last);
  append.summary.set_status(v1::SESSION_STATUS_ACTIVE);
  return append;
}

std::vector<AppendOutcome> Commit(Store& store, std::vector<StoreAppend> appends) {
  std::vector<StoreAppendPtr> group;
  for (StoreAppend& append : appends)
    group.push_back(std::make_shared<const StoreAppend>(std::move(append)));
  return store.Commit(group);
}

Sequences Loaded(Store& store, const std::string& session_id) {
  Sequences sequences;
  const absl::Status status = store.Load(session_id, [&sequences](const StoredEventPtr& event) {
    sequences.push_back(event->sequence);
  });
  EXPECT_TRUE(status.ok()) << status;
  return sequences;
}

Deadline DeadlineAt(int64_t seconds, const std::string& session_id,
                    const std::string& clarification_id) {
  return {absl::FromUnixSeconds(seconds), session_id, clarification_id};
}

enum class Kind { kMemory, kRocksDb };

class StoreTest : public testing::TestWithParam<Kind> {
 protected:
  StoreTest() { Open(); }

  void Open() {
    store_.reset();
    if (GetParam() == Kind::kMemory) {
      store_ = std::make_unique<control::MemoryStore>();
      return;
    }
    auto opened = control::RocksDbStore::Open({.directory = directory_.path()});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

class RocksDbStoreTest : public StoreTest {};

TEST_P(StoreTest, AnAppendBehindTheTopIsStored) {
  EXPECT_TRUE(Commit(*store_, {Events("s", "e", 1, 2)})[0].status.ok());
  EXPECT_TRUE(Commit(*store_, {Events("s", "e", 3, 3)})[0].status.ok());
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2, 3}));
}

TEST_P(StoreTest, AnAppendElsewhereIsRefusedWithTheTrueTop) {
  Commit(*store_, {Events("s", "e", 1, 2)});
  for (StoreAppend append : {Events("s", "e", 2, 2), Events("s", "e", 4, 4), Events("s", "e", 1, 1),
                             Events("s", "f", 3, 3)}) {
    const std::vector<AppendOutcome> outcomes = Commit(*store_, {append});
    EXPECT_TRUE(absl::IsAborted(outcomes[0].status)) << outcomes[0].status;
    EXPECT_EQ(outcomes[0].top.sequence(), 2u);
    EXPECT_EQ(outcomes[0].top.epoch(), "e");
  }
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2}));
}

TEST_P(StoreTest, InAGroupEachAppendSeesThoseBeforeIt) {
  const std::vector<AppendOutcome> outcomes =
      Commit(*store_, {Events("a", "e", 1, 1), Events("b", "e", 2, 2), Events("a", "e", 2, 3),
                       Events("a", "e", 2, 2)});
  EXPECT_TRUE(outcomes[0].status.ok());
  EXPECT_TRUE(absl::IsAborted(outcomes[1].status));
  EXPECT_TRUE(outcomes[2].status.ok());
  EXPECT_TRUE(absl::IsAborted(outcomes[3].status));
  EXPECT_EQ(Loaded(*store_, "a"), (Sequences{1, 2, 3}));
  EXPECT_EQ(Loaded(*store_, "b"), (Sequences{}));
}

TEST_P(StoreTest, EventsComeBackAsTheyWere) {
  const StoreAppend append = Events("s", "e", 1, 1);
  Commit(*store_, {append});
  const absl::Status status = store_->Load("s", [&append](const StoredEventPtr& event) {
    EXPECT_EQ(event->bytes, append.events[0]->bytes);
    EXPECT_EQ(event->epoch, "e");
    EXPECT_EQ(event->idempotency_key, "key1");
    EXPECT_EQ(event->payload_hash, 1u);
    EXPECT_EQ(event->summary.handling.delivery, v1::DELIVERY_MUST);
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(StoreTest, SessionsWhoseNamesBeginAlikeAreApart) {
  Commit(*store_, {Events("s", "e", 1, 2), Events("s1", "f", 1, 1), Events("s.", "g", 1, 3)});
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2}));
  EXPECT_EQ(Loaded(*store_, "s1"), (Sequences{1}));
  EXPECT_EQ(Loaded(*store_, "s."), (Sequences{1, 2, 3}));
}

TEST_P(StoreTest, ARangeEndsWhereItIsToldTo) {
  Commit(*store_, {Events("s", "e", 1, 300)});
  Sequences sequences;
  const auto take = [&sequences](const StoredEventPtr& event) {
    sequences.push_back(event->sequence);
    return sequences.size() < 3;
  };
  EXPECT_TRUE(store_->ReadRange({"s", "e", 254, 300}, take).ok());
  EXPECT_EQ(sequences, (Sequences{255, 256, 257}));
  sequences.clear();
  EXPECT_TRUE(store_->ReadRange({"s", "e", 298, 299}, take).ok());
  EXPECT_EQ(sequences, (Sequences{299}));
  sequences.clear();
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"s", "other", 0, 3}, take)));
  EXPECT_TRUE(absl::IsDataLoss(store_->ReadRange({"s", "e", 0, 301}, take)));
}

TEST_P(StoreTest, SessionsAreListedInOrder) {
  Commit(*store_, {Events("b", "e", 1, 2), Events("a", "e", 1, 1), Events("c", "e", 1, 1)});
  const auto first = store_->ListSessions("", 2);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ((*first)[0].session_id(), "a");
  EXPECT_EQ((*first)[1].position().sequence(), 2u);
  const auto second = store_->ListSessions("b", 2);
  ASSERT_EQ(second->size(), 1u);
  EXPECT_EQ((*second)[0].session_id(), "c");
}

TEST_P(StoreTest, DeadlinesComeInOrderOfTimeAndGoWithTheBatchThatClearsThem) {
  StoreAppend append = Events("s", "e", 1, 1);
  append.deadlines_set = {DeadlineAt(300, "s", "late"), DeadlineAt(20, "s", "early"),
                          DeadlineAt(20, "s", "also")};
  Commit(*store_, {append});
  const auto due = store_->DueDeadlines(absl::FromUnixSeconds(100), 10);
  ASSERT_EQ(due->size(), 2u);
  EXPECT_EQ((*due)[0].clarification_id, "also");
  EXPECT_EQ((*due)[1].clarification_id, "early");
  EXPECT_EQ((*due)[1].time, absl::FromUnixSeconds(20));
  StoreAppend clearing = Events("s", "e", 2, 2);
  clearing.deadlines_cleared = {DeadlineAt(20, "s", "early"), DeadlineAt(20, "s", "also")};
  Commit(*store_, {clearing});
  const auto left = store_->DueDeadlines(absl::InfiniteFuture(), 10);
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ((*left)[0].clarification_id, "late");
  EXPECT_EQ((*left)[0].session_id, "s");
}

TEST_P(RocksDbStoreTest, EverythingIsThereAfterItWasOpenedAgain) {
  StoreAppend append = Events("s", "e", 1, 5);
  append.deadlines_set = {DeadlineAt(20, "s", "c")};
  Commit(*store_, {append});
  Open();
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2, 3, 4, 5}));
  EXPECT_EQ(store_->DueDeadlines(absl::InfiniteFuture(), 10)->size(), 1u);
  EXPECT_TRUE(absl::IsAborted(Commit(*store_, {Events("s", "e", 5, 5)})[0].status));
  EXPECT_TRUE(Commit(*store_, {Events("s", "e", 6, 6)})[0].status.ok());
}

TEST_P(RocksDbStoreTest, ADirectoryInUseIsRefusedWithItsName) {
  const auto second = control::RocksDbStore::Open({.directory = directory_.path()});
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().message().find(directory_.path()), absl::string_view::npos);
}

TEST(MemoryStoreTest, AFullStoreRefuses) {
  control::MemoryStore store({.bytes_max = 10'000});
  EXPECT_TRUE(Commit(store, {Events("s", "e", 1, 5)})[0].status.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Commit(store, {Events("s", "e", 6, 200)})[0].status));
  EXPECT_EQ(Loaded(store, "s").size(), 5u);
}

std::string NameOf(const testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::kMemory ? "Memory" : "RocksDb";
}

INSTANTIATE_TEST_SUITE_P(Over, StoreTest, testing::Values(Kind::kMemory, Kind::kRocksDb), NameOf);
INSTANTIATE_TEST_SUITE_P(Over, RocksDbStoreTest, testing::Values(Kind::kRocksDb), NameOf);

}  // namespace
}  // namespace sessioncast::test
