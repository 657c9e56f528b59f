#include "control/rocksdb_store.h"

#include <zlib.h>

#include <cassert>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/record.pb.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace sessioncast::control {
namespace {

constexpr char kEventTag = 'e';
constexpr char kSessionTag = 's';
constexpr char kDeadlineTag = 'd';
constexpr size_t kNumberBytes = 8;
constexpr size_t kChecksumBytes = 4;
// Which layout the directory has; another one is refused.
constexpr char kFormatKey[] = "format";
constexpr char kFormat[] = "1";

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

std::string EncodeRecord(const std::string& key, const StoredEvent& event) {
  EventRecord record;
  record.set_event(event.bytes);
  record.set_idempotency_key(event.idempotency_key);
  record.set_payload_hash(event.payload_hash);
  const std::string bytes = record.SerializeAsString();
  return Checksum(key, bytes) + bytes;
}

absl::StatusOr<StoredEventPtr> DecodeRecord(rocksdb::Slice key, rocksdb::Slice value) {
  const absl::Status damaged = absl::DataLossError("a record of the store is damaged");
  if (value.size() < kChecksumBytes) return damaged;
  const rocksdb::Slice bytes(value.data() + kChecksumBytes, value.size() - kChecksumBytes);
  if (rocksdb::Slice(value.data(), kChecksumBytes) != Checksum(key, bytes)) return damaged;
  EventRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return damaged;
  return ParseStoredEvent(std::move(*record.mutable_event()),
                          std::move(*record.mutable_idempotency_key()), record.payload_hash());
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

void Put(const StoreAppend& append, rocksdb::WriteBatch& batch) {
  for (const StoredEventPtr& event : append.events) {
    const std::string key = EventKey(append.session_id, event->sequence);
    batch.Put(key, EncodeRecord(key, *event));
  }
  batch.Put(SessionKey(append.session_id), append.summary.SerializeAsString());
  for (const Deadline& deadline : append.deadlines_set) batch.Put(DeadlineKey(deadline), "");
  for (const Deadline& deadline : append.deadlines_cleared) batch.Delete(DeadlineKey(deadline));
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

absl::StatusOr<v1::Position> RocksDbStore::TopOf(const std::string& session_id) {
  std::string value;
  const rocksdb::Status status = db_->Get({}, SessionKey(session_id), &value);
  if (status.IsNotFound()) return v1::Position();
  if (!status.ok()) return StoreError(status);
  v1::SessionSummary summary;
  if (!summary.ParseFromString(value))
    return absl::DataLossError("store: a session's summary is damaged");
  return summary.position();
}

std::vector<AppendOutcome> RocksDbStore::Commit(absl::Span<const StoreAppendPtr> group) {
  std::vector<AppendOutcome> outcomes(group.size());
  std::unordered_map<std::string, v1::Position> tops;
  rocksdb::WriteBatch batch;
  for (size_t i = 0; i < group.size(); ++i) {
    const StoreAppend& append = *group[i];
    if (tops.find(append.session_id) == tops.end()) {
      absl::StatusOr<v1::Position> top = TopOf(append.session_id);
      if (!top.ok()) {
        outcomes[i].status = top.status();
        continue;
      }
      tops[append.session_id] = *std::move(top);
    }
    v1::Position& top = tops[append.session_id];
    const StoredEvent& first = *append.events.front();
    if (top.sequence() + 1 != first.sequence ||
        (top.sequence() != 0 && top.epoch() != first.epoch)) {
      outcomes[i] = {absl::AbortedError(
                         absl::StrCat("the top is ", top.sequence(), ", not ", first.sequence - 1)),
                     top};
      continue;
    }
    Put(append, batch);
    top = append.summary.position();
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

absl::Status RocksDbStore::Scan(const std::string& session_id, uint64_t after,
                                absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  const std::string prefix = EventPrefix(session_id);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  uint64_t expected = after + 1;
  for (at->Seek(EventKey(session_id, expected)); at->Valid(); at->Next(), ++expected) {
    if (!at->key().starts_with(prefix)) break;
    if (at->key() != EventKey(session_id, expected))
      return absl::DataLossError("store: events are missing");
    absl::StatusOr<StoredEventPtr> event = DecodeRecord(at->key(), at->value());
    if (!event.ok()) return event.status();
    if (!each(*event)) return absl::OkStatus();
  }
  return at->status().ok() ? absl::OkStatus() : StoreError(at->status());
}

absl::Status RocksDbStore::Load(const std::string& session_id,
                                absl::FunctionRef<void(const StoredEventPtr&)> each) {
  absl::StatusOr<v1::Position> top = TopOf(session_id);
  if (!top.ok()) return top.status();
  if (top->sequence() == 0) return absl::OkStatus();
  uint64_t last = 0;
  const absl::Status scanned =
      Scan(session_id, 0, [&each, &last, &top](const StoredEventPtr& event) {
        if (event->sequence > top->sequence()) return false;
        each(event);
        last = event->sequence;
        return true;
      });
  if (!scanned.ok()) return scanned;
  if (last != top->sequence()) return absl::DataLossError("store: events are missing");
  return absl::OkStatus();
}

absl::Status RocksDbStore::ReadRange(const StoreRange& range,
                                     absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  absl::StatusOr<v1::Position> top = TopOf(range.session_id);
  if (!top.ok()) return top.status();
  if (top->sequence() != 0 && top->epoch() != range.epoch) {
    return absl::OutOfRangeError("the session has another epoch");
  }
  if (top->sequence() < range.through) return absl::DataLossError("store: events are missing");
  return Scan(range.session_id, range.after, [&each, &range](const StoredEventPtr& event) {
    return event->sequence <= range.through && each(event) && event->sequence < range.through;
  });
}

absl::StatusOr<std::vector<v1::SessionSummary>> RocksDbStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  std::vector<v1::SessionSummary> sessions;
  const std::string after = SessionKey(after_session_id);
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek(after); at->Valid() && sessions.size() < sessions_max; at->Next()) {
    if (at->key()[0] != kSessionTag) break;
    if (at->key() == after) continue;
    v1::SessionSummary& summary = sessions.emplace_back();
    if (!summary.ParseFromArray(at->value().data(), static_cast<int>(at->value().size()))) {
      return absl::DataLossError("store: a session's summary is damaged");
    }
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
