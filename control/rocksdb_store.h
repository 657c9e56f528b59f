// The store in RocksDB, embedded: one directory, one process.
//
// Threads: any. A commit is one WriteBatch with a synced write-ahead log: one fdatasync for the
// group. What reads more than one key reads a snapshot, so that a commit beside it shows whole or
// not at all. A thread of its own writes the commit marker, and opens the store again after the
// disk was full. RocksDB is known to it and rocksdb_options alone.
//
// What goes wrong is never silent: a store that comes back with fewer commits than its marker says
// gives every session a new epoch before anybody reads; a damaged record is DATA_LOSS for its
// session alone; on a full disk nothing is appended until there is room, and then the store is
// opened anew, since only that tells what the group that failed left behind; after any other error
// of a write the process ends, since what was not synced may be gone while it can still be read.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/clock.h"
#include "control/commit_marker.h"
#include "control/position.h"
#include "control/store.h"

namespace rocksdb {
class DB;
class Env;
struct ReadOptions;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace sessioncast::control {

// Says why, and ends the process at once: nothing is flushed, nobody is answered.
[[noreturn]] void EndProcess(const std::string& why);

struct RocksDbStoreOptions {
  std::string directory = "./sessioncast-data";
  size_t write_buffer_bytes = 64 * 1024 * 1024;
  size_t block_cache_bytes = 64 * 1024 * 1024;
  int open_files_max = 512;
  // Sessions whose top is known in memory, about 200 bytes each; past it all are forgotten.
  size_t tops_known_max = 16'384;
  // Free on the disk, before a store that was full is opened again.
  uint64_t free_bytes_min = 128 * 1024 * 1024;
  // How often the commit marker is written, and a full disk is looked at. What was committed since
  // the marker's last time can come back short without being noticed.
  int64_t marker_interval_ms = 1'000;
  // After an error of a write that is not a full disk. Nothing is written any more if it returns.
  std::function<void(const std::string& why)> fail_stop = EndProcess;
  // The system's, if null; tests put theirs.
  rocksdb::Env* env = nullptr;
};

class RocksDbStore : public Store {
 public:
  // FAILED_PRECONDITION if another process has the directory.
  static absl::StatusOr<std::unique_ptr<Store>> Open(RocksDbStoreOptions options);
  ~RocksDbStore() override;

  std::vector<AppendOutcome> Commit(absl::Span<const StoreAppendPtr> group) override;
  absl::Status CheckWritable() const override;
  uint64_t generation() const override { return generation_; }
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
  enum class Condition {
    kGood,
    kFull,    // until the keeper has opened it again
    kBroken,  // until the process is started again
  };

  explicit RocksDbStore(RocksDbStoreOptions options);

  absl::Status OpenDb() ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mutex_);
  // What came back, against the marker.
  absl::Status CheckCommits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mutex_);
  // OK: there is something to read from.
  absl::Status CheckOpen() const ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);

  // The last event of a session, as it is known without reading.
  struct Top {
    Position position;  // {"", 0}: there is no such session
    v1::SessionStatus status = v1::SESSION_STATUS_UNSPECIFIED;
    uint64_t first_sequence = 1;
  };
  using Tops = std::unordered_map<std::string, Top>;

  // Without the fold. Position {"", 0}: there is no such session.
  absl::StatusOr<StoredSession> FindSession(const rocksdb::ReadOptions& options,
                                            const std::string& session_id)
      ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);
  // A record's position and update time are those of a later event, if there is one: the record is
  // not put with each.
  absl::Status MoveToLastEvent(const rocksdb::ReadOptions& options, const std::string& session_id,
                               StoredSession& session)
      ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);
  absl::StatusOr<FoldState> FindFold(const rocksdb::ReadOptions& options,
                                     const std::string& session_id)
      ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);
  // The events of the range, until `each` returns false; that none is missing is checked.
  absl::Status Scan(const rocksdb::ReadOptions& options, const StoreRange& range,
                    absl::FunctionRef<bool(const StoredEventPtr&)> each)
      ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);

  absl::Status RenewEpochs(uint64_t commits) ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mutex_);
  absl::Status RenewEpoch(const std::string& id, const StoredSession& session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(db_mutex_);

  absl::StatusOr<Top> FindTop(const std::string& session_id) ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);
  // Whether the session's record need not be put for the one behind `top`.
  static bool IsSaidBy(const Top& top, const Top& after);
  // `tops`: of the group's sessions, behind it.
  void PutGroup(absl::Span<const StoreAppendPtr> group, std::vector<AppendOutcome>& outcomes,
                Tops& tops, rocksdb::WriteBatch& batch) ABSL_SHARED_LOCKS_REQUIRED(db_mutex_);
  void Remember(Tops tops);
  void WriteFailed(const rocksdb::Status& status);

  void Keep();
  void WriteMarker();
  void OpenAgain() ABSL_LOCKS_EXCLUDED(db_mutex_);

  const RocksDbStoreOptions options_;
  // Held exclusively only while the store is opened.
  mutable absl::Mutex db_mutex_;
  std::unique_ptr<rocksdb::DB> db_ ABSL_GUARDED_BY(db_mutex_);
  std::unique_ptr<CommitMarker> marker_;  // of the thread that opens, then of the keeper
  // Of sessions that were appended to, so that nothing is read for the next append: true as long as
  // this is the store's only writer, and nothing failed.
  Tops tops_;  // of who commits, and who opens
  std::atomic<uint64_t> commits_{0};      // durable ones
  std::atomic<uint64_t> generation_{0};   // of the epochs
  std::atomic<Condition> condition_{Condition::kGood};
  std::atomic<bool> stopping_{false};
  Alarm wake_keeper_;
  std::thread keeper_;
};

}  // namespace sessioncast::control
