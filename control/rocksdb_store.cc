#include "control/rocksdb_store.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/random.h"
#include "control/rocksdb_options.h"
#include "control/rocksdb_records.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/snapshot.h"
#include "rocksdb/write_batch.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

// So many events are removed one by one, more of them as a range: each read of the store looks
// through all ranges that were removed lately, and single ones hold the writer up.
constexpr uint64_t kSingleDeletesMax = 128;
constexpr int kExitFailStop = 4;
// How often the renewal of many epochs says how far it is, in sessions.
constexpr uint64_t kRenewalsShownEach = 10'000;

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

absl::Status StoreError(const rocksdb::Status& status) {
  if (status.IsCorruption()) return absl::DataLossError(absl::StrCat("store: ", status.ToString()));
  return absl::UnavailableError(absl::StrCat("store: ", status.ToString()));
}

// Why the store in the directory cannot be opened.
absl::Status OpenError(const std::string& directory, const rocksdb::Status& status) {
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat("store: ", directory, " is damaged (",
                                            status.ToString(), "); restore it from a copy"));
  }
  return absl::UnavailableError(
      absl::StrCat("store: cannot open ", directory, ": ", status.ToString()));
}

absl::Status CheckFormat(rocksdb::DB& db, const std::string& directory) {
  const auto refused = [&directory](const std::string& format) {
    return absl::FailedPreconditionError(absl::StrCat("store: ", directory, " has format ", format,
                                                      ", this program reads ", kFormat));
  };
  std::string format;
  const rocksdb::Status found = db.Get({}, kFormatKey, &format);
  if (found.ok() && format == kFormat) return absl::OkStatus();
  if (found.ok() && format != kFormatBefore) return refused(format);
  if (!found.ok() && !found.IsNotFound()) return OpenError(directory, found);
  const rocksdb::Status old = db.Get({}, kOldFormatKey, &format);
  if (old.ok()) return refused(format.size() == 1 ? format : "1 or 2");
  if (!old.IsNotFound()) return OpenError(directory, old);
  const rocksdb::Status written = db.Put(Synced(), kFormatKey, kFormat);
  return written.ok() ? absl::OkStatus() : OpenError(directory, written);
}

absl::StatusOr<uint64_t> FindCommits(rocksdb::DB& db, const std::string& directory) {
  std::string commits;
  const rocksdb::Status found = db.Get({}, kCommitsKey, &commits);
  if (found.IsNotFound()) return 0;
  if (!found.ok()) return OpenError(directory, found);
  if (commits.size() != sizeof(uint64_t)) {
    return OpenError(directory, rocksdb::Status::Corruption("the number of its commits"));
  }
  return ReadNumber(commits);
}

StoredEventPtr WithEpoch(const StoredEvent& stored, const std::string& epoch) {
  v1::Event event = EventOf(stored);
  event.mutable_position()->set_epoch(epoch);
  return MakeStoredEvent(event, stored.idempotency_key, stored.payload_hash);
}

// Events from `first` to the one before `end`.
void RemoveEvents(const std::string& session_id, uint64_t first, uint64_t end,
                  rocksdb::WriteBatch& batch) {
  if (end - first > kSingleDeletesMax) {
    batch.DeleteRange(EventKey(session_id, first), EventKey(session_id, end));
    return;
  }
  for (uint64_t sequence = first; sequence < end; ++sequence) {
    batch.Delete(EventKey(session_id, sequence));
  }
}

void PutRecord(const std::string& key, const google::protobuf::MessageLite& record,
               rocksdb::WriteBatch& batch) {
  batch.Put(key, Seal(key, record));
}

void RemoveSession(const StoreAppend& append, uint64_t first_kept, rocksdb::WriteBatch& batch) {
  batch.Delete(SessionKey(append.session_id));
  batch.Delete(FoldKey(append.session_id));
  RemoveEvents(append.session_id, first_kept, append.after.sequence() + 1, batch);
}

// All of it but the session's own record.
void PutSession(const StoreAppend& append, uint64_t first_kept, rocksdb::WriteBatch& batch) {
  const std::string& id = append.session_id;
  for (const StoredEventPtr& event : append.events) {
    PutRecord(EventKey(id, event->sequence), RecordOf(*event), batch);
  }
  if (append.session.fold.has_value()) {
    PutRecord(FoldKey(id), RecordOf(*append.session.fold), batch);
    RemoveEvents(id, first_kept, append.session.first_sequence, batch);
  }
}

// `first_kept` before it.
void Put(const StoreAppend& append, uint64_t first_kept, rocksdb::WriteBatch& batch) {
  if (append.removes_session) {
    RemoveSession(append, first_kept, batch);
  } else {
    PutSession(append, first_kept, batch);
  }
  for (const Deadline& deadline : append.deadlines_cleared) batch.Delete(DeadlineKey(deadline));
  for (const Deadline& deadline : append.deadlines_set) batch.Put(DeadlineKey(deadline), "");
}

}  // namespace

void EndProcess(const std::string& why) {
  spdlog::critical("{}; control ends, so that nothing is said of what the disk may not have", why);
  spdlog::shutdown();
  std::_Exit(kExitFailStop);
}

absl::StatusOr<std::unique_ptr<Store>> RocksDbStore::Open(RocksDbStoreOptions options) {
  std::unique_ptr<RocksDbStore> store(new RocksDbStore(std::move(options)));
  {
    absl::MutexLock lock(&store->db_mutex_);
    if (absl::Status status = store->OpenDb(); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<CommitMarker>> marker =
        CommitMarker::Open(store->options_.directory);
    if (!marker.ok()) return marker.status();
    store->marker_ = *std::move(marker);
    if (absl::Status status = store->CheckCommits(); !status.ok()) return status;
  }
  store->keeper_ = std::thread([opened = store.get()] { opened->Keep(); });
  return std::unique_ptr<Store>(std::move(store));
}

RocksDbStore::RocksDbStore(RocksDbStoreOptions options) : options_(std::move(options)) {}

RocksDbStore::~RocksDbStore() {
  stopping_ = true;
  wake_keeper_.Ring();
  if (keeper_.joinable()) keeper_.join();
}

absl::Status RocksDbStore::OpenDb() {
  const std::string& directory = options_.directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("store: cannot make the directory ", directory, ": ", error.message()));
  }
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DbOptions(options_), directory, &opened);
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store: ", directory, " is in use by another process (", status.ToString(), ")"));
  }
  if (!status.ok()) return OpenError(directory, status);
  db_.reset(opened);
  return CheckFormat(*db_, directory);
}

absl::Status RocksDbStore::CheckCommits() {
  const absl::StatusOr<uint64_t> commits = FindCommits(*db_, options_.directory);
  if (!commits.ok()) return commits.status();
  // Of this process, if it was open before; else the marker's.
  const uint64_t known = std::max(marker_->commits(), commits_.load());
  const bool marked = marker_->found() == CommitMarker::Found::kMark || known > 0;
  const bool is_new = marker_->found() == CommitMarker::Found::kNew && *commits == 0;
  if (marked ? *commits >= known : is_new) {
    commits_ = *commits;
  } else {
    spdlog::error(
        "store: {} came back with {} commits, there were {}: what was acknowledged may be lost, so "
        "every session gets a new epoch, and readers are told",
        options_.directory, *commits,
        marked ? std::to_string(known) : "more or less (its marker cannot be read)");
    absl::Status renewed = RenewEpochs(std::max(*commits, known) + 1);
    if (!renewed.ok()) return renewed;
  }
  return marker_->Write(commits_);
}

absl::Status RocksDbStore::RenewEpochs(uint64_t commits) {
  ++generation_;
  uint64_t renewed = 0;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek(std::string(1, kSessionTag)); at->Valid() && at->key()[0] == kSessionTag;
       at->Next()) {
    absl::StatusOr<StoredSession> session = ReadSession(View(at->key()), View(at->value()));
    absl::Status status = session.status();
    const std::string session_id = at->key().ToString().substr(1);
    if (status.ok()) status = MoveToLastEvent({}, session_id, *session);
    if (status.ok()) status = RenewEpoch(session_id, *session);
    // A session that cannot be read cannot be appended to either: its epoch may stay.
    if (!status.ok() && !absl::IsDataLoss(status)) return status;
    if (!status.ok()) spdlog::error("{}: {}", session_id, status.ToString());
    if (++renewed % kRenewalsShownEach == 0) spdlog::info("store: {} new epochs", renewed);
  }
  // What lies behind a damaged block would keep its epoch, and could be appended to.
  if (!at->status().ok()) return OpenError(options_.directory, at->status());
  // Last, so that a renewal that is interrupted is made again.
  const rocksdb::Status written = db_->Put(Synced(), kCommitsKey, Number(commits));
  if (!written.ok()) return StoreError(written);
  commits_ = commits;
  spdlog::info("store: {} sessions have a new epoch", renewed);
  return absl::OkStatus();
}

absl::Status RocksDbStore::RenewEpoch(const std::string& id, const StoredSession& session) {
  const Position& old = session.position;
  const std::string epoch = FreshEpoch();
  rocksdb::WriteBatch batch;
  const StoreRange kept{id, old.epoch(), session.first_sequence - 1, old.sequence()};
  absl::Status status = Scan({}, kept, [&](const StoredEventPtr& event) {
    PutRecord(EventKey(id, event->sequence), RecordOf(*WithEpoch(*event, epoch)), batch);
    return true;
  });
  if (!status.ok()) return status;
  if (session.first_sequence > 1) {
    absl::StatusOr<FoldState> fold = FindFold({}, id);
    if (!fold.ok()) return fold.status();
    for (StoredEventPtr& event : fold->entries) event = WithEpoch(*event, epoch);
    PutRecord(FoldKey(id), RecordOf(*fold), batch);
  }
  StoredSession renewed = session;
  renewed.position.set_epoch(epoch);
  PutRecord(SessionKey(id), RecordOf(id, renewed), batch);
  const rocksdb::Status written = db_->Write(Synced(), &batch);
  return written.ok() ? absl::OkStatus() : StoreError(written);
}

absl::Status RocksDbStore::CheckOpen() const {
  if (db_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError("store: it is being opened again; try again");
}

absl::Status RocksDbStore::CheckWritable() const {
  switch (condition_.load()) {
    case Condition::kGood:
      return absl::OkStatus();
    case Condition::kFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("the disk of ", options_.directory, " is full: nothing is appended until ",
                       options_.free_bytes_min, " bytes are free; try again later"));
    case Condition::kBroken:
      return absl::UnavailableError("the store takes nothing until control is started again");
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredSession> RocksDbStore::FindSession(const rocksdb::ReadOptions& options,
                                                        const std::string& session_id) {
  std::string value;
  const std::string key = SessionKey(session_id);
  const rocksdb::Status status = db_->Get(options, key, &value);
  if (status.IsNotFound()) return StoredSession();
  if (!status.ok()) return StoreError(status);
  absl::StatusOr<StoredSession> session = ReadSession(key, value);
  if (!session.ok()) return session.status();
  if (absl::Status moved = MoveToLastEvent(options, session_id, *session); !moved.ok())
    return moved;
  return session;
}

absl::Status RocksDbStore::MoveToLastEvent(const rocksdb::ReadOptions& options,
                                           const std::string& session_id,
                                           StoredSession& session) {
  const std::string first_key = EventKey(session_id, session.position.sequence());
  const std::string end_key = EventKey(session_id, UINT64_MAX);
  const rocksdb::Slice first(first_key);
  const rocksdb::Slice end(end_key);
  rocksdb::ReadOptions bounded = options;
  bounded.iterate_lower_bound = &first;
  bounded.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(bounded));
  at->SeekToLast();
  if (!at->status().ok()) return StoreError(at->status());
  const absl::Status missing = absl::DataLossError("store: events are missing");
  const bool keeps_none = session.first_sequence > session.position.sequence();
  if (!at->Valid()) return keeps_none ? absl::OkStatus() : missing;
  const absl::StatusOr<StoredEventPtr> last = ReadEvent(View(at->key()), View(at->value()));
  if (!last.ok()) return last.status();
  if ((*last)->epoch != session.position.epoch()) return missing;
  session.position.set_sequence((*last)->sequence);
  session.update_time = (*last)->time;
  return absl::OkStatus();
}

absl::StatusOr<FoldState> RocksDbStore::FindFold(const rocksdb::ReadOptions& options,
                                                 const std::string& session_id) {
  std::string value;
  const std::string key = FoldKey(session_id);
  const rocksdb::Status status = db_->Get(options, key, &value);
  if (status.IsNotFound()) return absl::DataLossError("store: a session's fold is missing");
  if (!status.ok()) return StoreError(status);
  return ReadFold(key, value);
}

// All but position and update time, which the last event says.
bool RocksDbStore::IsSaidBy(const Top& top, const Top& after) {
  return top.position.epoch() == after.position.epoch() && top.status == after.status &&
         top.first_sequence == after.first_sequence;
}

absl::StatusOr<RocksDbStore::Top> RocksDbStore::FindTop(const std::string& session_id) {
  if (const auto known = tops_.find(session_id); known != tops_.end()) return known->second;
  absl::StatusOr<StoredSession> session = FindSession({}, session_id);
  if (!session.ok()) return session.status();
  return Top{std::move(session->position), session->status, session->first_sequence};
}

void RocksDbStore::PutGroup(absl::Span<const StoreAppendPtr> group,
                            std::vector<AppendOutcome>& outcomes, Tops& tops,
                            rocksdb::WriteBatch& batch) {
  // Sessions whose record is put, once, as the last of their appends has it.
  std::unordered_map<std::string, const StoredSession*> records;
  for (size_t i = 0; i < group.size(); ++i) {
    const StoreAppend& append = *group[i];
    auto behind = tops.find(append.session_id);
    if (behind == tops.end()) {
      absl::StatusOr<Top> found = FindTop(append.session_id);
      if (!found.ok()) {
        outcomes[i].status = found.status();
        BreakChain(append);
        continue;
      }
      behind = tops.emplace(append.session_id, *std::move(found)).first;
    }
    Top& top = behind->second;
    if (absl::Status is_behind = CheckBehind(append, top.position); !is_behind.ok()) {
      outcomes[i] = {std::move(is_behind), top.position};
      continue;
    }
    Put(append, top.first_sequence, batch);
    const Top after = {append.session.position, append.session.status,
                       append.session.first_sequence};  // nothing, if it was removed
    if (append.removes_session) {
      records.erase(append.session_id);
    } else if (!IsSaidBy(top, after) || records.count(append.session_id) > 0) {
      records[append.session_id] = &append.session;
    }
    top = after;
  }
  for (const auto& [id, session] : records) {
    PutRecord(SessionKey(id), RecordOf(id, *session), batch);
  }
}

void RocksDbStore::Remember(Tops tops) {
  if (tops_.size() + tops.size() > options_.tops_known_max) tops_.clear();
  if (tops.size() > options_.tops_known_max) return;
  for (auto& [id, top] : tops) {
    if (top.position.sequence() == 0) {
      tops_.erase(id);
    } else {
      tops_.insert_or_assign(id, std::move(top));
    }
  }
}

std::vector<AppendOutcome> RocksDbStore::Commit(absl::Span<const StoreAppendPtr> group) {
  absl::ReaderMutexLock lock(&db_mutex_);
  absl::Status failed = CheckWritable();
  if (failed.ok()) failed = CheckOpen();
  std::vector<AppendOutcome> outcomes(group.size());
  if (failed.ok()) {
    rocksdb::WriteBatch batch;
    Tops tops;
    PutGroup(group, outcomes, tops, batch);
    if (batch.Count() == 0) return outcomes;
    batch.Put(kCommitsKey, Number(commits_ + 1));
    const rocksdb::Status written = db_->Write(Synced(), &batch);
    if (written.ok()) {
      ++commits_;
      Remember(std::move(tops));
      return outcomes;
    }
    tops_.clear();  // what of the group is there will show
    WriteFailed(written);
    failed = StoreError(written);
  }
  for (AppendOutcome& outcome : outcomes) {
    if (outcome.status.ok()) outcome.status = absl::UnavailableError(failed.message());
  }
  return outcomes;
}

void RocksDbStore::WriteFailed(const rocksdb::Status& status) {
  if (status.IsNoSpace()) {
    condition_ = Condition::kFull;
    spdlog::error("{}: {}", std::string(CheckWritable().message()), status.ToString());
    wake_keeper_.Ring();
    return;
  }
  condition_ = Condition::kBroken;
  const std::string why = absl::StrCat("store: a write failed: ", status.ToString());
  // What is damaged is as damaged after a restart, and can be read until then.
  if (status.IsCorruption()) return spdlog::critical("{}: nothing is appended any more", why);
  options_.fail_stop(why);
}

void RocksDbStore::Keep() {
  while (!stopping_) {
    wake_keeper_.Wait(absl::Milliseconds(options_.marker_interval_ms));
    if (condition_ == Condition::kFull) OpenAgain();
    WriteMarker();
  }
}

void RocksDbStore::WriteMarker() {
  const uint64_t commits = commits_;
  if (commits == marker_->commits()) return;
  if (absl::Status status = marker_->Write(commits); !status.ok()) {
    spdlog::warn("{}", std::string(status.message()));
  }
}

void RocksDbStore::OpenAgain() {
  uint64_t free_bytes = 0;
  const auto file_system =
      (options_.env == nullptr ? rocksdb::Env::Default() : options_.env)->GetFileSystem();
  const rocksdb::IOStatus looked =
      file_system->GetFreeSpace(options_.directory, rocksdb::IOOptions(), &free_bytes, nullptr);
  if (looked.ok() && free_bytes < options_.free_bytes_min) return;
  absl::MutexLock lock(&db_mutex_);
  db_.reset();
  tops_.clear();
  absl::Status status = OpenDb();
  if (status.ok()) status = CheckCommits();
  if (!status.ok()) {
    spdlog::error("store: cannot be opened again, tried again soon: {}", status.ToString());
    return;
  }
  condition_ = Condition::kGood;
  spdlog::info("store: there is room again, {} bytes are free: events are appended again",
               free_bytes);
}

absl::Status RocksDbStore::Scan(const rocksdb::ReadOptions& options, const StoreRange& range,
                                absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  const absl::Status missing = absl::DataLossError("store: events are missing");
  // Without it the iterator passes over what was removed of the next sessions.
  const std::string end_key = EventKey(range.session_id, range.through + 1);
  const rocksdb::Slice end(end_key);
  rocksdb::ReadOptions bounded = options;
  bounded.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(bounded));
  at->Seek(EventKey(range.session_id, range.after + 1));
  for (uint64_t expected = range.after + 1; expected <= range.through; ++expected, at->Next()) {
    if (!at->status().ok()) return StoreError(at->status());
    if (!at->Valid() || at->key() != EventKey(range.session_id, expected)) return missing;
    absl::StatusOr<StoredEventPtr> event = ReadEvent(View(at->key()), View(at->value()));
    if (!event.ok()) return event.status();
    if ((*event)->epoch != range.epoch || (*event)->sequence != expected) return missing;
    if (!each(*event)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status RocksDbStore::Load(const std::string& session_id,
                                absl::FunctionRef<void(const StoredSession&)> session,
                                absl::FunctionRef<void(const StoredEventPtr&)> each) {
  absl::ReaderMutexLock lock(&db_mutex_);
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  absl::StatusOr<StoredSession> found = FindSession(options, session_id);
  if (!found.ok()) return found.status();
  const Position top = found->position;
  if (top.sequence() == 0) return absl::OkStatus();
  if (found->first_sequence > 1) {
    absl::StatusOr<FoldState> fold = FindFold(options, session_id);
    if (!fold.ok()) return fold.status();
    found->fold = *std::move(fold);
  }
  session(*found);
  const StoreRange kept{session_id, top.epoch(), found->first_sequence - 1, top.sequence()};
  return Scan(options, kept, [&each](const StoredEventPtr& event) {
    each(event);
    return true;
  });
}

absl::Status RocksDbStore::ReadRange(const StoreRange& range,
                                     absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  absl::ReaderMutexLock lock(&db_mutex_);
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  const absl::StatusOr<StoredSession> session = FindSession(options, range.session_id);
  if (!session.ok()) return session.status();
  const Position& top = session->position;
  if (top.epoch() != range.epoch) return absl::OutOfRangeError("the session has another epoch");
  if (range.after + 1 < session->first_sequence) {
    return absl::OutOfRangeError("the events are not kept any more");
  }
  if (top.sequence() < range.through) return absl::DataLossError("store: events are missing");
  return Scan(options, range, each);
}

absl::StatusOr<std::vector<v1::SessionSummary>> RocksDbStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  absl::ReaderMutexLock lock(&db_mutex_);
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  std::vector<v1::SessionSummary> sessions;
  const std::string after = SessionKey(after_session_id);
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
  for (at->Seek(after); at->Valid() && sessions.size() < sessions_max; at->Next()) {
    if (at->key()[0] != kSessionTag) break;
    if (at->key() == after) continue;
    absl::StatusOr<StoredSession> session = ReadSession(View(at->key()), View(at->value()));
    if (!session.ok()) return session.status();
    // One whose last event is damaged is listed as its record has it.
    const std::string session_id = at->key().ToString().substr(1);
    absl::Status moved = MoveToLastEvent(options, session_id, *session);
    if (!moved.ok() && !absl::IsDataLoss(moved)) return moved;
    sessions.push_back(SummaryOf(session_id, *session));
  }
  if (!at->status().ok()) return StoreError(at->status());
  return sessions;
}

absl::StatusOr<std::vector<Deadline>> RocksDbStore::DueDeadlines(absl::Time until,
                                                                 size_t deadlines_max) {
  absl::ReaderMutexLock lock(&db_mutex_);
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  std::vector<Deadline> due;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek(std::string(1, kDeadlineTag)); at->Valid() && due.size() < deadlines_max;
       at->Next()) {
    if (at->key()[0] != kDeadlineTag) break;
    absl::StatusOr<Deadline> deadline = ReadDeadline(View(at->key()));
    if (!deadline.ok()) return deadline.status();
    if (deadline->time > until) break;
    due.push_back(*std::move(deadline));
  }
  if (!at->status().ok()) return StoreError(at->status());
  return due;
}

}  // namespace sessioncast::control
