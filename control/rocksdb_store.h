// The store in RocksDB, embedded: one directory, one process.
//
// Threads: any. A commit is one WriteBatch with a synced write-ahead log: one fdatasync for the
// group. Keys, by their first byte: 'e' session \0 sequence (8 bytes, highest first) → EventRecord;
// 's' session → SessionRecord; 'f' session → FoldRecord; each record behind a checksum of key and
// record. 'd' milliseconds (8 bytes, highest first) session \0 clarification, or nothing → nothing.
// What reads more than one key reads a snapshot, so that a commit beside it shows whole or not at
// all. RocksDB is known to this file pair alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/store.h"

namespace rocksdb {
class DB;
struct ReadOptions;
}  // namespace rocksdb

namespace sessioncast::control {

struct RocksDbStoreOptions {
  std::string directory = "./sessioncast-data";
  size_t write_buffer_bytes = 64 * 1024 * 1024;
  size_t block_cache_bytes = 64 * 1024 * 1024;
  int open_files_max = 512;
};

class RocksDbStore : public Store {
 public:
  // FAILED_PRECONDITION if another process has the directory.
  static absl::StatusOr<std::unique_ptr<Store>> Open(RocksDbStoreOptions options);
  ~RocksDbStore() override;

  std::vector<AppendOutcome> Commit(absl::Span<const StoreAppendPtr> group) override;
  absl::Status Load(const std::string& session_id,
                    absl::FunctionRef<void(const StoredSession&)> session,
                    absl::FunctionRef<void(const StoredEventPtr&)> each) override;
  absl::Status ReadRange(const StoreRange& range,
                         absl::FunctionRef<bool(const StoredEventPtr&)> each) override;
  absl::StatusOr<std::vector<v1::SessionSummary>> ListSessions(const std::string& after_session_id,
                                                               size_t sessions_max) override;
  absl::StatusOr<std::vector<Deadline>> DueDeadlines(absl::Time until,
                                                     size_t deadlines_max) override;

 private:
  explicit RocksDbStore(std::unique_ptr<rocksdb::DB> db);

  // Without the fold. Position {"", 0}: there is no such session.
  absl::StatusOr<StoredSession> FindSession(const rocksdb::ReadOptions& options,
                                            const std::string& session_id);
  absl::StatusOr<FoldState> FindFold(const rocksdb::ReadOptions& options,
                                     const std::string& session_id);
  // The events of the range, until `each` returns false; that none is missing is checked.
  absl::Status Scan(const rocksdb::ReadOptions& options, const StoreRange& range,
                    absl::FunctionRef<bool(const StoredEventPtr&)> each);

  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace sessioncast::control
