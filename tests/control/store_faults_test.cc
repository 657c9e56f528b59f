// The store in RocksDB when its disk loses power, loses bits, is full, or fails: nothing that was
// acknowledged is lost silently, and nothing is acknowledged that may be lost.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "control/random.h"
#include "control/rocksdb_store.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "tests/control/events.h"
#include "tests/control/faulty_file_system.h"
#include "tests/control/store_appends.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

using control::AppendOutcome;
using control::RocksDbStore;
using control::Store;
using control::StoreRange;

namespace fs = std::filesystem;

constexpr int kSessions = 60;
constexpr uint64_t kEvents = 12;  // of each

std::string SessionId(int number) { return absl::StrCat("session-", number); }

bool EventuallyTrue(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<fs::path> FilesOf(const std::string& directory, const std::string& ending) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (absl::EndsWith(name, ending) && entry.file_size() > 0) files.push_back(entry.path());
  }
  return files;
}

void FlipByte(const fs::path& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
  ASSERT_TRUE(file.good());
}

void Copy(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to);
}

class StoreFaultsTest : public testing::Test {
 protected:
  StoreFaultsTest() : env_(rocksdb::NewCompositeEnv(disk_)) { Open(); }
  ~StoreFaultsTest() override {
    disk_->MakeRoom();
    store_.reset();
  }

  const std::string& directory() const { return directory_.path(); }
  std::string copy() const { return copies_.path() + "/copy"; }

  void Open() {
    control::RocksDbStoreOptions options{.directory = directory(), .free_bytes_min = 1};
    options.marker_interval_ms = 5;
    options.env = env_.get();
    options.fail_stop = [this](const std::string& why) {
      absl::MutexLock lock(&mutex_);
      fail_stops_.push_back(why);
    };
    absl::StatusOr<std::unique_ptr<Store>> opened = RocksDbStore::Open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  // Each session's events, a group of all of them for each sequence; from sequence 7 on trimmed.
  void Fill(uint64_t first = 1, uint64_t last = kEvents) {
    for (uint64_t sequence = first; sequence <= last; ++sequence) {
      std::vector<control::StoreAppend> group;
      for (int number = 0; number < kSessions; ++number) {
        control::StoreAppend append = Events(SessionId(number), "e", sequence, sequence);
        group.push_back(sequence < 7 ? append : Trimming(append, sequence - 4));
      }
      for (const AppendOutcome& outcome : Commit(*store_, group)) {
        ASSERT_TRUE(outcome.status.ok()) << outcome.status;
      }
    }
  }

  // The marker of the directory says as much as the store has.
  void WaitForTheMarker() {
    EXPECT_TRUE(EventuallyTrue([this] {
      const auto marker = control::CommitMarker::Open(directory());
      return marker.ok() && (*marker)->commits() == kEvents;
    }));
  }

  // What a process finds that starts on a directory as it is.
  static absl::StatusOr<std::unique_ptr<Store>> OpenCopy(const std::string& directory) {
    return RocksDbStore::Open({.directory = directory});
  }

  std::vector<std::string> fail_stops() {
    absl::MutexLock lock(&mutex_);
    return fail_stops_;
  }

  TemporaryDirectory directory_;
  TemporaryDirectory copies_;
  std::shared_ptr<FaultyFileSystem> disk_ = std::make_shared<FaultyFileSystem>();
  std::unique_ptr<rocksdb::Env> env_;
  absl::Mutex mutex_;
  std::vector<std::string> fail_stops_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Store> store_;
};

// What came back of the sessions.
struct Census {
  int whole = 0;    // all of it, of its epoch
  int renewed = 0;  // dense, of another epoch, or nothing at all
  int damaged = 0;  // DATA_LOSS
  int silent = 0;   // less than was acknowledged, and nobody is told
};

Census Count(Store& store) {
  Census census;
  for (int number = 0; number < kSessions; ++number) {
    control::StoredSession session;
    const absl::Status status = store.Load(
        SessionId(number), [&session](const control::StoredSession& found) { session = found; },
        [](const control::StoredEventPtr&) {});
    const control::Position& top = session.position;
    if (absl::IsDataLoss(status)) {
      ++census.damaged;
    } else if (!status.ok() || (top.epoch() == "e" && top.sequence() != kEvents)) {
      ++census.silent;
    } else if (top.epoch() == "e") {
      ++census.whole;
    } else {
      ++census.renewed;
    }
  }
  return census;
}

TEST_F(StoreFaultsTest, ALossOfPowerLosesNothingThatWasAcknowledged) {
  for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
    ASSERT_TRUE(Commit(*store_, {Events("s", "e", sequence, sequence)})[0].status.ok());
    // Of what was not synced some bytes are there all the same.
    disk_->CopyWhatSurvives(directory(), copy(), sequence % 3 * 7);
    const auto survivor = OpenCopy(copy());
    ASSERT_TRUE(survivor.ok()) << survivor.status();
    const LoadedLog log = LoadedFrom(**survivor, "s");
    EXPECT_EQ(log.session.position.epoch(), "e");
    ASSERT_EQ(log.sequences.size(), sequence);
  }
}

TEST_F(StoreFaultsTest, ATornWriteBehindTheLogIsNoLoss) {
  Fill();
  WaitForTheMarker();
  Copy(directory(), copy());
  for (const fs::path& log : FilesOf(copy(), ".log")) {
    std::ofstream(log, std::ios::app | std::ios::binary) << "a record that was not finished";
  }
  const auto survivor = OpenCopy(copy());
  ASSERT_TRUE(survivor.ok()) << survivor.status();
  EXPECT_EQ(Count(**survivor).whole, kSessions);
}

TEST_F(StoreFaultsTest, ALogThatWasCutGivesEverySessionANewEpoch) {
  Fill();
  WaitForTheMarker();
  Copy(directory(), copy());
  for (const fs::path& log : FilesOf(copy(), ".log")) fs::resize_file(log, fs::file_size(log) / 2);
  const auto survivor = OpenCopy(copy());
  ASSERT_TRUE(survivor.ok()) << survivor.status();
  EXPECT_EQ(Count(**survivor).renewed, kSessions);

  const LoadedLog log = LoadedFrom(**survivor, SessionId(0));
  const control::Position top = log.session.position;
  ASSERT_GT(top.sequence(), 0u);
  ASSERT_LT(top.sequence(), kEvents);
  EXPECT_EQ(log.sequences.back(), top.sequence());
  EXPECT_EQ(top.epoch().size(), control::FreshEpoch().size());
  if (log.session.fold.has_value()) {
    EXPECT_EQ(log.session.fold->entries.front()->epoch, top.epoch());
  }
  // A reader of the old life is told so; the new one goes on where the log ends.
  const StoreRange old{SessionId(0), "e", top.sequence() - 1, top.sequence()};
  const auto all = [](const control::StoredEventPtr&) { return true; };
  EXPECT_TRUE(absl::IsOutOfRange((*survivor)->ReadRange(old, all)));
  const auto next = Events(SessionId(0), top.epoch(), top.sequence() + 1, top.sequence() + 1);
  EXPECT_TRUE(Commit(**survivor, {next})[0].status.ok());
}

TEST_F(StoreFaultsTest, ANewEpochIsGivenOnce) {
  Fill();
  WaitForTheMarker();
  Copy(directory(), copy());
  for (const fs::path& log : FilesOf(copy(), ".log")) fs::resize_file(log, fs::file_size(log) / 2);
  std::string epoch;
  for (int start = 0; start < 3; ++start) {
    const auto survivor = OpenCopy(copy());
    ASSERT_TRUE(survivor.ok()) << survivor.status();
    const std::string found =
        LoadedFrom(**survivor, "session-0").session.position.epoch();
    EXPECT_TRUE(start == 0 || found == epoch);
    epoch = found;
  }
}

TEST_F(StoreFaultsTest, ALogThatIsShortAndATableThatIsDamagedAreNotSilentEither) {
  Fill(1, 6);
  store_.reset();
  Open();  // so far in tables, the rest in the log
  Fill(7, kEvents);
  WaitForTheMarker();
  const fs::path table = FilesOf(directory(), ".sst").at(0);
  const uint64_t bytes = fs::file_size(table);
  int opened = 0;
  int refused = 0;
  for (uint64_t step = 0; step < 24; ++step) {
    Copy(directory(), copy());
    for (const fs::path& log : FilesOf(copy(), ".log")) fs::remove(log);
    FlipByte(fs::path(copy()) / table.filename(), bytes * step / 24 + step);
    const auto survivor = OpenCopy(copy());
    ++(survivor.ok() ? opened : refused);
    if (!survivor.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(survivor.status())) << survivor.status();
      EXPECT_TRUE(absl::StrContains(survivor.status().message(), "restore it from a copy"))
          << survivor.status();
      continue;
    }
    const Census census = Count(**survivor);
    EXPECT_EQ(census.silent, 0) << "byte " << bytes * step / 24 + step;
    EXPECT_EQ(census.whole, 0);
  }
  EXPECT_GT(opened, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(StoreFaultsTest, ARenewalThatFailsIsMadeAgain) {
  Fill();
  WaitForTheMarker();
  disk_->Fill();
  EXPECT_FALSE(Commit(*store_, {Events("hit", "h", 1, 1)})[0].status.ok());
  // Else RocksDB may write its memory into a table as soon as there is room, and nothing is short.
  ASSERT_TRUE(EventuallyTrue([this] { return disk_->threads_that_saw_it_full() == 3; }));
  for (const fs::path& log : FilesOf(directory(), ".log")) {
    fs::resize_file(log, fs::file_size(log) / 2);
  }
  disk_->FailSyncs();
  const int syncs = disk_->syncs();
  disk_->MakeRoom();
  ASSERT_TRUE(EventuallyTrue([&] { return disk_->syncs() > syncs + 30; }));
  EXPECT_FALSE(store_->CheckWritable().ok());
  const auto marker = control::CommitMarker::Open(directory());
  ASSERT_TRUE(marker.ok());
  EXPECT_EQ((*marker)->commits(), kEvents) << "what it says is not to be forgotten";
  disk_->HealSyncs();
  ASSERT_TRUE(EventuallyTrue([this] { return store_->CheckWritable().ok(); }));
  EXPECT_EQ(Count(*store_).renewed, kSessions);
}

TEST_F(StoreFaultsTest, AFlippedByteInTheLogIsNeverSilent) {
  Fill();
  WaitForTheMarker();
  int found_short = 0;
  const uint64_t bytes = fs::file_size(FilesOf(directory(), ".log").at(0));
  for (uint64_t step = 0; step < 24; ++step) {
    Copy(directory(), copy());
    FlipByte(FilesOf(copy(), ".log").at(0), bytes * step / 24 + step);
    const auto survivor = OpenCopy(copy());
    ASSERT_TRUE(survivor.ok()) << survivor.status();
    const Census census = Count(**survivor);
    EXPECT_EQ(census.silent, 0) << "byte " << bytes * step / 24 + step;
    EXPECT_TRUE(census.whole == kSessions || census.renewed == kSessions);
    found_short += census.renewed == kSessions ? 1 : 0;
  }
  EXPECT_GT(found_short, 20) << "too few of the flips hit what is read";
}

TEST_F(StoreFaultsTest, AStoreThatVanishedFromBesideItsMarkerIsFoundOut) {
  Fill();
  WaitForTheMarker();
  Copy(directory(), copy());
  for (const fs::path& log : FilesOf(copy(), ".log")) fs::remove(log);
  const auto survivor = OpenCopy(copy());
  ASSERT_TRUE(survivor.ok()) << survivor.status();
  EXPECT_EQ(Count(**survivor).renewed, kSessions) << "no session is there, and none has epoch e";
}

TEST_F(StoreFaultsTest, AStoreWithoutItsMarkerGetsNewEpochs) {
  Fill();
  WaitForTheMarker();
  Copy(directory(), copy());
  fs::remove(copy() + "/commits.marker");
  const auto survivor = OpenCopy(copy());
  ASSERT_TRUE(survivor.ok()) << survivor.status();
  EXPECT_EQ(Count(**survivor).renewed, kSessions);
}

TEST_F(StoreFaultsTest, AFlippedByteInATableDamagesTheSessionsInItsBlock) {
  Fill();
  WaitForTheMarker();
  store_.reset();
  Open();  // what was in the log is in tables now
  store_.reset();
  int refused = 0;
  int damaged = 0;
  int listed = 0;
  const fs::path table = FilesOf(directory(), ".sst").at(0);
  const uint64_t bytes = fs::file_size(table);
  for (uint64_t step = 0; step < 24; ++step) {
    Copy(directory(), copy());
    FlipByte(fs::path(copy()) / table.filename(), bytes * step / 24 + step);
    const auto survivor = OpenCopy(copy());
    if (!survivor.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(survivor.status())) << survivor.status();
      EXPECT_TRUE(absl::StrContains(survivor.status().message(), "restore it from a copy"))
          << survivor.status();
      ++refused;
      continue;
    }
    const Census census = Count(**survivor);
    EXPECT_EQ(census.silent, 0);
    EXPECT_EQ(census.renewed, 0);
    damaged += census.damaged > 0 && census.whole > 0 ? 1 : 0;
    if (census.damaged == kSessions) ++refused;
    listed += census.damaged > 0 && (*survivor)->ListSessions("", kSessions).ok() ? 1 : 0;
  }
  std::printf("of 24 flips %d damaged some sessions, %d all; %d left all that could be listed\n",
              damaged, refused, listed);
  EXPECT_GT(listed, 8);
  EXPECT_GT(damaged, 8);
  EXPECT_LT(refused, 12);
}

TEST_F(StoreFaultsTest, OnAFullDiskReadingGoesOnAndAppendsGoOnWhenThereIsRoom) {
  Fill();
  disk_->Fill();
  const AppendOutcome hit = Commit(*store_, {Events("hit", "h", 1, 3)})[0];
  EXPECT_TRUE(absl::IsUnavailable(hit.status)) << hit.status;
  const absl::Status refused = store_->CheckWritable();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "is full")) << refused;
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store_, {Events("late", "l", 1, 1)})[0].status));
  EXPECT_EQ(Loaded(*store_, SessionId(3)).back(), kEvents);

  disk_->MakeRoom();
  ASSERT_TRUE(EventuallyTrue([this] { return store_->CheckWritable().ok(); }));
  EXPECT_EQ(fail_stops(), std::vector<std::string>());
  EXPECT_EQ(Count(*store_).whole, kSessions);
  EXPECT_EQ(Loaded(*store_, "late"), Sequences());
  const LoadedLog log = LoadedFrom(*store_, "hit");  // whole, or not at all
  const bool is_there = !log.sequences.empty();
  EXPECT_EQ(log.sequences, is_there ? (Sequences{1, 2, 3}) : Sequences());
  const auto next = is_there ? Events("hit", "h", 4, 4) : Events("hit", "i", 1, 1);
  EXPECT_TRUE(Commit(*store_, {next})[0].status.ok());
}

TEST_F(StoreFaultsTest, AStoreThatWasFullManyTimesLosesNothing) {
  uint64_t top = 0;
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(Commit(*store_, {Events("s", "e", top + 1, top + 5)})[0].status.ok());
    top += 5;
    disk_->Fill();
    EXPECT_FALSE(Commit(*store_, {Events("s", "e", top + 1, top + 1)})[0].status.ok());
    disk_->MakeRoom();
    ASSERT_TRUE(EventuallyTrue([this] { return store_->CheckWritable().ok(); }));
    const uint64_t found = Loaded(*store_, "s").size();
    ASSERT_TRUE(found == top || found == top + 1) << found;
    top = found;
  }
  store_.reset();
  Open();
  const LoadedLog log = LoadedFrom(*store_, "s");
  EXPECT_EQ(log.sequences.size(), top);
  EXPECT_EQ(log.session.position.epoch(), "e");
}

TEST_F(StoreFaultsTest, AnErrorOfASyncStopsEverythingAndIsNotTriedAgain) {
  Fill();
  disk_->FailSyncs();
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store_, {Events("s", "e", 1, 1)})[0].status));
  ASSERT_EQ(fail_stops().size(), 1u);
  EXPECT_TRUE(absl::StrContains(fail_stops()[0], "fdatasync")) << fail_stops()[0];
  const int syncs = disk_->syncs();
  EXPECT_TRUE(absl::IsUnavailable(Commit(*store_, {Events("s", "e", 1, 1)})[0].status));
  EXPECT_TRUE(absl::IsUnavailable(store_->CheckWritable()));
  EXPECT_EQ(disk_->syncs(), syncs);
  EXPECT_EQ(fail_stops().size(), 1u);
}

TEST(EndProcessDeathTest, ItEndsTheProcessAtOnceAndSaysWhy) {
  EXPECT_EXIT(control::EndProcess("the disk failed"), testing::ExitedWithCode(4), "");
}

TEST_F(StoreFaultsTest, ADirectoryThatIsNotThereIsMadeAndOneThatCannotBeIsNamed) {
  const std::string nested = copies_.path() + "/not/there/yet";
  EXPECT_TRUE(OpenCopy(nested).ok());
  EXPECT_TRUE(fs::exists(nested + "/commits.marker"));
  EXPECT_TRUE(FilesOf(nested, "LOG").empty()) << "RocksDB's own log would be on the disk too";
  const absl::Status refused = OpenCopy("/proc/nowhere").status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "/proc/nowhere")) << refused;
}

TEST_F(StoreFaultsTest, AStoreOfTheFormatBeforeIsReadAndOneOfALaterIsRefused) {
  Fill();
  store_.reset();
  const auto set_format = [this](const std::string& format) {
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory(), &db).ok());
    ASSERT_TRUE(db->Put({}, "FORMAT", format).ok());
    delete db;
  };
  set_format("3");
  Open();
  EXPECT_EQ(Count(*store_).whole, kSessions);
  store_.reset();
  set_format("5");
  const absl::Status refused = OpenCopy(directory()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "format 5")) << refused;
  set_format("4");
  Open();
}

TEST_F(StoreFaultsTest, ASessionWithANameLikeTheStoresOwnKeysIsOneLikeAnyOther) {
  for (const std::string id : {"ormat", "OMMITS", "ORMAT"}) {
    ASSERT_TRUE(Commit(*store_, {Events(id, "e", 1, 3)})[0].status.ok());
    ASSERT_TRUE(Commit(*store_, {Trimming(Events(id, "e", 4, 5), 3)})[0].status.ok());
  }
  store_.reset();
  Open();
  EXPECT_EQ(Loaded(*store_, "ormat"), (Sequences{3, 4, 5}));
}

}  // namespace
}  // namespace sessioncast::test
