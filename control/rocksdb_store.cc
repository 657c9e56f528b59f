#include "control/rocksdb_store.h"

#include <zlib.h>

#include <cassert>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/record.pb.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/snapshot.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace sessioncast::control {
namespace {

constexpr char kEventTag = 'e';
constexpr char kSessionTag = 's';
constexpr char kFoldTag = 'f';
constexpr char kDeadlineTag = 'd';
constexpr size_t kNumberBytes = 8;
constexpr size_t kChecksumBytes = 4;
// Which layout the directory has; another one is refused.
constexpr char kFormatKey[] = "format";
constexpr char kFormat[] = "2";
// So many events are removed one by one, more of them as a range: each read of the store looks
// through all ranges that were removed lately, and single ones hold the writer up.
constexpr uint64_t kSingleDeletesMax = 128;

std::string Number(uint64_t number) {
  std::string bytes(kNumberBytes, '\0');
  for (size_t i = 0; i < kNumberBytes; ++i) {
    bytes[i] = static_cast<char>(number >> (8 * (kNumberBytes - 1 - i)));
  }
  return bytes;
}

uint64_t ReadNumber(rocksdb::Slice bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

std::string EventPrefix(const std::string& session_id) {
  return absl::StrCat(std::string(1, kEventTag), session_id, std::string(1, '\0'));
}

std::string EventKey(const std::string& session_id, uint64_t sequence) {
  return EventPrefix(session_id) + Number(sequence);
}

std::string SessionKey(const std::string& session_id) {
  return absl::StrCat(std::string(1, kSessionTag), session_id);
}

std::string FoldKey(const std::string& session_id) {
  return absl::StrCat(std::string(1, kFoldTag), session_id);
}

std::string DeadlineKey(const Deadline& deadline) {
  return absl::StrCat(std::string(1, kDeadlineTag),
                      Number(static_cast<uint64_t>(absl::ToUnixMillis(deadline.time))),
                      deadline.session_id, std::string(1, '\0'), deadline.clarification_id);
}

absl::StatusOr<Deadline> ReadDeadline(rocksdb::Slice key) {
  const std::string names =
      rocksdb::Slice(key.data() + 1 + kNumberBytes, key.size() - 1 - kNumberBytes).ToString();
  const size_t end = names.find('\0');
  if (end == std::string::npos)
    return absl::DataLossError("a deadline's key in the store is damaged");
  const uint64_t millis = ReadNumber(rocksdb::Slice(key.data() + 1, kNumberBytes));
  return Deadline{absl::FromUnixMillis(static_cast<int64_t>(millis)), names.substr(0, end),
                  names.substr(end + 1)};
}

// Over key and record, so that a record under another's key is found out too.
std::string Checksum(const rocksdb::Slice& key, const rocksdb::Slice& record) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(key.data()), static_cast<uInt>(key.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(record.data()), static_cast<uInt>(record.size()));
  return Number(crc).substr(kNumberBytes - kChecksumBytes);
}

std::string Seal(const std::string& key, const google::protobuf::MessageLite& record) {
  const std::string bytes = record.SerializeAsString();
  return Checksum(key, bytes) + bytes;
}

// False: the record is damaged.
bool Unseal(rocksdb::Slice key, rocksdb::Slice value, google::protobuf::MessageLite& record) {
  if (value.size() < kChecksumBytes) return false;
  const rocksdb::Slice bytes(value.data() + kChecksumBytes, value.size() - kChecksumBytes);
  return rocksdb::Slice(value.data(), kChecksumBytes) == Checksum(key, bytes) &&
         record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

EventRecord RecordOf(const StoredEvent& event) {
  EventRecord record;
  record.set_event(event.bytes);
  record.set_idempotency_key(event.idempotency_key);
  record.set_payload_hash(event.payload_hash);
  return record;
}

SessionRecord RecordOf(const StoredSession& session) {
  SessionRecord record;
  record.set_summary(session.summary.SerializeAsString());
  record.set_first_sequence(session.first_sequence);
  return record;
}

FoldRecord RecordOf(const FoldState& fold) {
  FoldRecord record;
  record.set_through(fold.through);
  for (const StoredEventPtr& event : fold.entries) record.add_entries(event->bytes);
  record.set_results_processing(fold.totals.results_processing);
  record.set_results_completed(fold.totals.results_completed);
  record.set_results_failed(fold.totals.results_failed);
  record.set_status(fold.totals.status);
  record.set_end_sequence(fold.totals.end_sequence);
  record.set_clarifications_left_out(fold.totals.clarifications_left_out);
  record.set_model_results_left_out(fold.totals.model_results_left_out);
  return record;
}

absl::StatusOr<StoredEventPtr> ReadEvent(rocksdb::Slice key, rocksdb::Slice value) {
  EventRecord record;
  if (!Unseal(key, value, record)) return absl::DataLossError("store: an event is damaged");
  return ParseStoredEvent(std::move(*record.mutable_event()),
                          std::move(*record.mutable_idempotency_key()), record.payload_hash());
}

absl::StatusOr<StoredSession> ReadSession(rocksdb::Slice key, rocksdb::Slice value) {
  SessionRecord record;
  StoredSession session;
  if (!Unseal(key, value, record) || !session.summary.ParseFromString(record.summary())) {
    return absl::DataLossError("store: a session's record is damaged");
  }
  session.first_sequence = record.first_sequence();
  return session;
}

absl::StatusOr<FoldState> ReadFold(rocksdb::Slice key, rocksdb::Slice value) {
  FoldRecord record;
  if (!Unseal(key, value, record)) return absl::DataLossError("store: a fold is damaged");
  FoldState fold;
  fold.through = record.through();
  for (std::string& bytes : *record.mutable_entries()) {
    absl::StatusOr<StoredEventPtr> event = ParseStoredEvent(std::move(bytes), "", 0);
    if (!event.ok()) return event.status();
    fold.entries.push_back(*std::move(event));
  }
  fold.totals.results_processing = record.results_processing();
  fold.totals.results_completed = record.results_completed();
  fold.totals.results_failed = record.results_failed();
  fold.totals.status = static_cast<v1::SessionStatus>(record.status());
  fold.totals.end_sequence = record.end_sequence();
  fold.totals.clarifications_left_out = record.clarifications_left_out();
  fold.totals.model_results_left_out = record.model_results_left_out();
  return fold;
}

absl::Status StoreError(const rocksdb::Status& status) {
  if (status.IsCorruption()) return absl::DataLossError(absl::StrCat("store: ", status.ToString()));
  return absl::UnavailableError(absl::StrCat("store: ", status.ToString()));
}

rocksdb::Options DbOptions(const RocksDbStoreOptions& options) {
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  db_options.write_buffer_size = options.write_buffer_bytes;
  db_options.max_open_files = options.open_files_max;
  db_options.keep_log_file_num = 4;
  db_options.max_log_file_size = 16 * 1024 * 1024;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  db_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return db_options;
}

absl::Status CheckFormat(rocksdb::DB& db, const std::string& directory) {
  std::string format;
  const rocksdb::Status found = db.Get({}, kFormatKey, &format);
  if (found.IsNotFound()) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const rocksdb::Status written = db.Put(synced, kFormatKey, kFormat);
    return written.ok() ? absl::OkStatus() : StoreError(written);
  }
  if (!found.ok()) return StoreError(found);
  if (format != kFormat) {
    return absl::FailedPreconditionError(absl::StrCat("store: ", directory, " has format ", format,
                                                      ", this program reads ", kFormat));
  }
  return absl::OkStatus();
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

void PutSession(const StoreAppend& append, uint64_t first_kept, rocksdb::WriteBatch& batch) {
  const std::string& id = append.session_id;
  for (const StoredEventPtr& event : append.events) {
    PutRecord(EventKey(id, event->sequence), RecordOf(*event), batch);
  }
  PutRecord(SessionKey(id), RecordOf(append.session), batch);
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

absl::StatusOr<std::unique_ptr<Store>> RocksDbStore::Open(RocksDbStoreOptions options) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DbOptions(options), options.directory, &opened);
  if (!status.ok() && status.ToString().find("lock") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store: ", options.directory, " is in use by another process (", status.ToString(), ")"));
  }
  if (!status.ok()) {
    return absl::UnavailableError(
        absl::StrCat("store: cannot open ", options.directory, ": ", status.ToString()));
  }
  std::unique_ptr<rocksdb::DB> db(opened);
  if (absl::Status format = CheckFormat(*db, options.directory); !format.ok()) return format;
  return std::unique_ptr<Store>(new RocksDbStore(std::move(db)));
}

RocksDbStore::RocksDbStore(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
RocksDbStore::~RocksDbStore() = default;

absl::StatusOr<StoredSession> RocksDbStore::FindSession(const rocksdb::ReadOptions& options,
                                                        const std::string& session_id) {
  std::string value;
  const std::string key = SessionKey(session_id);
  const rocksdb::Status status = db_->Get(options, key, &value);
  if (status.IsNotFound()) return StoredSession();
  if (!status.ok()) return StoreError(status);
  return ReadSession(key, value);
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

std::vector<AppendOutcome> RocksDbStore::Commit(absl::Span<const StoreAppendPtr> group) {
  std::vector<AppendOutcome> outcomes(group.size());
  std::unordered_map<std::string, StoredSession> sessions;
  rocksdb::WriteBatch batch;
  for (size_t i = 0; i < group.size(); ++i) {
    const StoreAppend& append = *group[i];
    if (sessions.find(append.session_id) == sessions.end()) {
      absl::StatusOr<StoredSession> found = FindSession({}, append.session_id);
      if (!found.ok()) {
        outcomes[i].status = found.status();
        continue;
      }
      sessions[append.session_id] = *std::move(found);
    }
    StoredSession& session = sessions[append.session_id];
    if (absl::Status behind = CheckBehind(append, session.summary.position()); !behind.ok()) {
      outcomes[i] = {std::move(behind), session.summary.position()};
      continue;
    }
    Put(append, session.first_sequence, batch);
    session.summary = append.session.summary;  // none, if it was removed
    session.first_sequence = append.session.first_sequence;
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = db_->Write(synced, &batch);
  if (written.ok()) return outcomes;
  for (AppendOutcome& outcome : outcomes) {
    if (outcome.status.ok()) outcome.status = StoreError(written);
  }
  return outcomes;
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
    absl::StatusOr<StoredEventPtr> event = ReadEvent(at->key(), at->value());
    if (!event.ok()) return event.status();
    if ((*event)->epoch != range.epoch || (*event)->sequence != expected) return missing;
    if (!each(*event)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status RocksDbStore::Load(const std::string& session_id,
                                absl::FunctionRef<void(const StoredSession&)> session,
                                absl::FunctionRef<void(const StoredEventPtr&)> each) {
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  absl::StatusOr<StoredSession> found = FindSession(options, session_id);
  if (!found.ok()) return found.status();
  const v1::Position top = found->summary.position();
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
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  const absl::StatusOr<StoredSession> session = FindSession(options, range.session_id);
  if (!session.ok()) return session.status();
  const v1::Position& top = session->summary.position();
  if (top.epoch() != range.epoch) return absl::OutOfRangeError("the session has another epoch");
  if (range.after + 1 < session->first_sequence) {
    return absl::OutOfRangeError("the events are not kept any more");
  }
  if (top.sequence() < range.through) return absl::DataLossError("store: events are missing");
  return Scan(options, range, each);
}

absl::StatusOr<std::vector<v1::SessionSummary>> RocksDbStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  std::vector<v1::SessionSummary> sessions;
  const std::string after = SessionKey(after_session_id);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek(after); at->Valid() && sessions.size() < sessions_max; at->Next()) {
    if (at->key()[0] != kSessionTag) break;
    if (at->key() == after) continue;
    absl::StatusOr<StoredSession> session = ReadSession(at->key(), at->value());
    if (!session.ok()) return session.status();
    sessions.push_back(std::move(session->summary));
  }
  if (!at->status().ok()) return StoreError(at->status());
  return sessions;
}

absl::StatusOr<std::vector<Deadline>> RocksDbStore::DueDeadlines(absl::Time until,
                                                                 size_t deadlines_max) {
  std::vector<Deadline> due;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek(std::string(1, kDeadlineTag)); at->Valid() && due.size() < deadlines_max;
       at->Next()) {
    if (at->key()[0] != kDeadlineTag) break;
    absl::StatusOr<Deadline> deadline = ReadDeadline(at->key());
    if (!deadline.ok()) return deadline.status();
    if (deadline->time > until) break;
    due.push_back(*std::move(deadline));
  }
  if (!at->status().ok()) return StoreError(at->status());
  return due;
}

}  // namespace sessioncast::control
