// The store's contract, over both implementations; and what RocksDB alone has: it opens again.
#include "control/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <tuple>
#include <thread>
#include <utility>
#include <vector>

#include "control/history.h"
#include "control/memory_store.h"
#include "control/rocksdb_store.h"
#include "tests/control/events.h"
#include "tests/control/store_appends.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

using control::AppendOutcome;
using control::Deadline;
using control::Store;
using control::StoreAppend;
using control::StoredEventPtr;
using control::StoredSession;
using control::StoreRange;

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

// What an append of unknown outcome left may have the top that a later one expects.
TEST_P(StoreTest, NothingIsAppendedBehindAnAppendOfItsChainThatWasNot) {
  Commit(*store_, {Events("s1", "k3JxQ0aB", 1, 2)});
  const auto chain = std::make_shared<control::AppendChain>();
  control::StoreAppend first = Events("s1", "k3JxQ0aB", 1, 1);
  control::StoreAppend second = Events("s1", "k3JxQ0aB", 3, 3);
  first.chain = second.chain = chain;
  const auto outcomes = Commit(*store_, {first, second});
  EXPECT_TRUE(absl::IsAborted(outcomes[0].status)) << outcomes[0].status;
  EXPECT_TRUE(absl::IsAborted(outcomes[1].status)) << outcomes[1].status;
  EXPECT_TRUE(absl::IsAborted(Commit(*store_, {second})[0].status));
  EXPECT_EQ(Loaded(*store_, "s1"), (Sequences{1, 2}));
}

TEST_P(StoreTest, EventsComeBackAsTheyWere) {
  const StoreAppend append = Events("s", "e", 1, 1);
  Commit(*store_, {append});
  const auto check = [&append](const StoredEventPtr& event) {
    EXPECT_EQ(event->bytes, append.events[0]->bytes);
    EXPECT_EQ(event->epoch, "e");
    EXPECT_EQ(event->idempotency_key, "key1");
    EXPECT_EQ(event->payload_hash, 1u);
    EXPECT_EQ(event->summary.handling.delivery, v1::DELIVERY_MUST);
  };
  const absl::Status status = store_->Load(
      "s", [](const StoredSession&) {}, check);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_P(StoreTest, ATrimTakesWhatIsOldAndLeavesTheFold) {
  Commit(*store_, {Events("s", "e", 1, 5), Events("r", "f", 1, 3)});
  EXPECT_FALSE(LoadedFrom(*store_, "s").session.fold.has_value());
  const StoreAppend trimming = Trimming(Events("s", "e", 6, 7), 4);
  EXPECT_TRUE(Commit(*store_, {trimming})[0].status.ok());
  const LoadedLog log = LoadedFrom(*store_, "s");
  EXPECT_EQ(log.sequences, (Sequences{4, 5, 6, 7}));
  EXPECT_EQ(log.session.first_sequence, 4u);
  EXPECT_EQ(log.session.position.sequence(), 7u);
  ASSERT_TRUE(log.session.fold.has_value());
  EXPECT_EQ(log.session.fold->through, 7u);
  ASSERT_EQ(log.session.fold->entries.size(), 1u);
  EXPECT_EQ(log.session.fold->entries[0]->bytes, trimming.events[0]->bytes);
  const control::FoldTotals& totals = log.session.fold->totals;
  EXPECT_EQ(totals.results_processing, 1u);
  EXPECT_EQ(totals.results_completed, 2u);
  EXPECT_EQ(totals.results_failed, 3u);
  EXPECT_EQ(totals.status, v1::SESSION_STATUS_PROCESSING);
  EXPECT_EQ(totals.end_sequence, 4u);
  EXPECT_EQ(totals.clarifications_left_out, 5u);
  EXPECT_EQ(totals.model_results_left_out, 6u);
  EXPECT_EQ(Loaded(*store_, "r"), (Sequences{1, 2, 3}));
}

TEST_P(StoreTest, AFoldStaysUntilTheNextTrim) {
  Commit(*store_, {Trimming(Events("s", "e", 1, 5), 4)});
  StoreAppend between = Events("s", "e", 6, 6);
  between.session.first_sequence = 4;
  Commit(*store_, {between});
  EXPECT_EQ(LoadedFrom(*store_, "s").session.fold->through, 5u);
  Commit(*store_, {Trimming(Events("s", "e", 7, 7), 8)});
  const LoadedLog empty = LoadedFrom(*store_, "s");
  EXPECT_EQ(empty.sequences, (Sequences{}));
  EXPECT_EQ(empty.session.fold->through, 7u);
  StoreAppend next = Events("s", "e", 8, 8);
  next.session.first_sequence = 8;
  EXPECT_TRUE(Commit(*store_, {next})[0].status.ok());
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{8}));
}

TEST_P(StoreTest, InAGroupATrimTakesWhatTheGroupBroughtToo) {
  Commit(*store_,
         {Events("s", "e", 1, 2), Events("s", "e", 3, 4), Trimming(Events("s", "e", 5, 6), 4)});
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{4, 5, 6}));
}

TEST_P(StoreTest, ALongTrimIsNoDifferent) {
  Commit(*store_, {Events("s", "e", 1, 5'000), Events("t", "f", 1, 5)});
  Commit(*store_, {Trimming(Events("s", "e", 5'001, 5'001), 4'999)});
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{4'999, 5'000, 5'001}));
  EXPECT_EQ(Loaded(*store_, "t"), (Sequences{1, 2, 3, 4, 5}));
}

TEST_P(StoreTest, ARefusedAppendTrimsNothing) {
  Commit(*store_, {Events("s", "e", 1, 5)});
  EXPECT_TRUE(absl::IsAborted(Commit(*store_, {Trimming(Events("s", "e", 5, 5), 4)})[0].status));
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2, 3, 4, 5}));
  EXPECT_FALSE(LoadedFrom(*store_, "s").session.fold.has_value());
}

// The session of `append` is removed at its top.
StoreAppend Removing(const std::string& session_id, const v1::Position& top) {
  StoreAppend append;
  append.session_id = session_id;
  append.after = top;
  append.removes_session = true;
  return append;
}

TEST_P(StoreTest, ARemovedSessionLeavesNothingAndItsIdBeginsAnew) {
  StoreAppend first = Events("s", "e", 1, 5);
  first.deadlines_set = {DeadlineAt(20, "s", "")};
  Commit(*store_, {first, Events("s1", "g", 1, 1)});
  Commit(*store_, {Trimming(Events("s", "e", 6, 7), 4)});
  EXPECT_TRUE(absl::IsAborted(Commit(*store_, {Removing("s", PositionAt("e", 6))})[0].status));
  StoreAppend removal = Removing("s", PositionAt("e", 7));
  removal.deadlines_cleared = {DeadlineAt(20, "s", "")};
  const auto outcomes = Commit(*store_, {removal, Events("s", "f", 1, 2)});
  EXPECT_TRUE(outcomes[0].status.ok()) << outcomes[0].status;
  EXPECT_TRUE(outcomes[1].status.ok()) << outcomes[1].status;
  const LoadedLog log = LoadedFrom(*store_, "s");
  EXPECT_EQ(log.sequences, (Sequences{1, 2}));
  EXPECT_EQ(log.session.first_sequence, 1u);
  EXPECT_FALSE(log.session.fold.has_value());
  EXPECT_TRUE(store_->DueDeadlines(absl::InfiniteFuture(), 10)->empty());
  const auto none = [](const StoredEventPtr&) { return true; };
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"s", "e", 3, 7}, none)));
  Commit(*store_, {Removing("s", PositionAt("f", 2))});
  EXPECT_EQ(LoadedFrom(*store_, "s").session.position.sequence(), 0u);
  ASSERT_EQ(store_->ListSessions("", 10)->size(), 1u);
  EXPECT_EQ(Loaded(*store_, "s1"), (Sequences{1}));
}

TEST_P(StoreTest, AnAppendWithoutEventsMovesADeadline) {
  StoreAppend first = Events("s", "e", 1, 2);
  first.deadlines_set = {DeadlineAt(20, "s", "")};
  Commit(*store_, {first});
  StoreAppend move = Events("s", "e", 3, 2);
  move.deadlines_cleared = {DeadlineAt(20, "s", "")};
  move.deadlines_set = {DeadlineAt(30, "s", "")};
  EXPECT_TRUE(Commit(*store_, {move})[0].status.ok());
  const auto deadlines = store_->DueDeadlines(absl::InfiniteFuture(), 10);
  ASSERT_EQ(deadlines->size(), 1u);
  EXPECT_EQ((*deadlines)[0].time, absl::FromUnixSeconds(30));
  EXPECT_TRUE((*deadlines)[0].is_of_session());
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2}));
}

TEST_P(StoreTest, ARangeWhoseFirstEventIsNotKeptIsOutOfRange) {
  Commit(*store_, {Events("s", "e", 1, 5)});
  Commit(*store_, {Trimming(Events("s", "e", 6, 7), 4)});
  Sequences sequences;
  const auto take = [&sequences](const StoredEventPtr& event) {
    sequences.push_back(event->sequence);
    return true;
  };
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"s", "e", 0, 7}, take)));
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"s", "e", 2, 7}, take)));
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"s", "e", 0, 2}, take)));
  EXPECT_TRUE(absl::IsOutOfRange(store_->ReadRange({"nobody", "e", 0, 2}, take)));
  EXPECT_EQ(sequences, (Sequences{}));
  EXPECT_TRUE(store_->ReadRange({"s", "e", 3, 7}, take).ok());
  EXPECT_EQ(sequences, (Sequences{4, 5, 6, 7}));
}

TEST_P(StoreTest, AReaderBesideTrimsSeesAllOfItsRangeOrNothing) {
  constexpr uint64_t kEvents = 4'000;
  Commit(*store_, {Events("s", "e", 1, 100)});
  std::atomic<bool> done{false};
  std::thread writer([this, &done] {
    for (uint64_t top = 101; top <= kEvents; top += 10) {
      const auto outcome = Commit(*store_, {Trimming(Events("s", "e", top, top + 9), top - 90)});
      EXPECT_TRUE(outcome[0].status.ok()) << outcome[0].status;
    }
    done = true;
  });
  int whole = 0;
  for (bool last = false; !last;) {
    last = done;  // then nothing comes in between
    const LoadedLog log = LoadedFrom(*store_, "s");
    const uint64_t first = log.session.first_sequence;
    const uint64_t top = log.session.position.sequence();
    ASSERT_EQ(log.sequences.size(), top - first + 1);
    uint64_t expected = first;
    const absl::Status status =
        store_->ReadRange({"s", "e", first - 1, top}, [&expected](const StoredEventPtr& event) {
          EXPECT_EQ(event->sequence, expected++);
          return true;
        });
    if (status.ok()) {
      ++whole;
      EXPECT_EQ(expected, top + 1);
    } else {
      EXPECT_TRUE(absl::IsOutOfRange(status)) << status;
      EXPECT_EQ(expected, first);
    }
  }
  writer.join();
  EXPECT_GT(whole, 0);
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

TEST_P(StoreTest, ADeadlineThatIsClearedAndSetAgainIsSet) {
  StoreAppend append = Events("s", "e", 1, 1);
  append.deadlines_set = {DeadlineAt(20, "s", "c")};
  append.deadlines_cleared = {DeadlineAt(20, "s", "c")};
  Commit(*store_, {append});
  EXPECT_EQ(store_->DueDeadlines(absl::InfiniteFuture(), 10)->size(), 1u);
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

// Its record is put with the first append, with the third, whose status is another, and with none
// since.
TEST_P(StoreTest, ASessionIsAtItsLastEventWhateverItsRecordWasPutWith) {
  const auto status_and_top = [this] {
    const v1::SessionSummary loaded = SummaryOf("s", LoadedFrom(*store_, "s").session);
    const v1::SessionSummary listed = store_->ListSessions("", 1)->at(0);
    EXPECT_EQ(listed.SerializeAsString(), loaded.SerializeAsString());
    return std::make_tuple(loaded.status(), loaded.position().sequence());
  };
  Commit(*store_, {Events("s", "e", 1, 1)});
  Commit(*store_, {Events("s", "e", 2, 4)});
  EXPECT_EQ(status_and_top(), std::make_tuple(v1::SESSION_STATUS_ACTIVE, 4u));
  StoreAppend processing = Events("s", "e", 5, 5);
  processing.session.status = v1::SESSION_STATUS_PROCESSING;
  StoreAppend next = Events("s", "e", 6, 6);
  next.session.status = v1::SESSION_STATUS_PROCESSING;
  Commit(*store_, {processing, next});
  EXPECT_EQ(status_and_top(), std::make_tuple(v1::SESSION_STATUS_PROCESSING, 6u));
  StoreAppend last = Events("s", "e", 7, 7);
  last.session.status = v1::SESSION_STATUS_PROCESSING;
  Commit(*store_, {last});
  EXPECT_EQ(status_and_top(), std::make_tuple(v1::SESSION_STATUS_PROCESSING, 7u));
}

TEST_P(RocksDbStoreTest, MoreSessionsThanItKnowsTheTopOf) {
  constexpr int kSessions = 20'000;  // of 16,384
  for (const uint64_t sequence : {1, 2}) {
    std::vector<StoreAppend> group;
    for (int i = 0; i < kSessions; ++i)
      group.push_back(Events("s" + std::to_string(i), "e", sequence, sequence));
    for (const AppendOutcome& outcome : Commit(*store_, group))
      ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  }
  EXPECT_TRUE(absl::IsAborted(Commit(*store_, {Events("s7", "e", 2, 2)})[0].status));
  EXPECT_EQ(Loaded(*store_, "s19999"), (Sequences{1, 2}));
}

TEST_P(RocksDbStoreTest, EverythingIsThereAfterItWasOpenedAgain) {
  StoreAppend append = Events("s", "e", 1, 5);
  append.deadlines_set = {DeadlineAt(20, "s", "c")};
  Commit(*store_, {append, Trimming(Events("t", "f", 1, 5), 4)});
  Open();
  EXPECT_EQ(Loaded(*store_, "s"), (Sequences{1, 2, 3, 4, 5}));
  EXPECT_EQ(Loaded(*store_, "t"), (Sequences{4, 5}));
  EXPECT_EQ(LoadedFrom(*store_, "t").session.fold->entries.size(), 1u);
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

TEST(MemoryStoreTest, ATrimMakesRoom) {
  control::MemoryStore store({.bytes_max = 10'000});
  for (uint64_t top = 5; top < 1'000; top += 5) {
    const auto outcome = Commit(store, {Trimming(Events("s", "e", top - 4, top), top - 4)});
    ASSERT_TRUE(outcome[0].status.ok()) << outcome[0].status;
  }
  EXPECT_EQ(Loaded(store, "s").size(), 5u);
}

std::string NameOf(const testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::kMemory ? "Memory" : "RocksDb";
}

INSTANTIATE_TEST_SUITE_P(Over, StoreTest, testing::Values(Kind::kMemory, Kind::kRocksDb), NameOf);
INSTANTIATE_TEST_SUITE_P(Over, RocksDbStoreTest, testing::Values(Kind::kRocksDb), NameOf);

}  // namespace
}  // namespace sessioncast::test
