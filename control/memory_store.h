// The store in memory: for tests, and for a server whose sessions may end with it. Bounded in
// bytes; past the bound appends fail with RESOURCE_EXHAUSTED.
//
// Threads: any; one mutex.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/store.h"

namespace sessioncast::control {

struct MemoryStoreOptions {
  size_t bytes_max = size_t{1024} * 1024 * 1024;
};

class MemoryStore : public Store {
 public:
  explicit MemoryStore(MemoryStoreOptions options = {}) : options_(options) {}

  std::vector<AppendOutcome> Commit(absl::Span<const StoreAppendPtr> group) override;
  absl::Status CheckWritable() const override { return absl::OkStatus(); }
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
  struct Log {
    StoredSession session;
    std::deque<StoredEventPtr> events;  // from session.first_sequence on
    size_t bytes = 0;
  };
  struct Earlier {
    bool operator()(const Deadline& a, const Deadline& b) const {
      return std::tie(a.time, a.session_id, a.clarification_id) <
             std::tie(b.time, b.session_id, b.clarification_id);
    }
  };

  AppendOutcome Append(const StoreAppend& append) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetDeadlines(const StoreAppend& append) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The session after an append: what it does not keep goes.
  static void Remember(const StoredSession& session, Log& log);
  absl::StatusOr<std::vector<StoredEventPtr>> EventsOf(const StoreRange& range)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const MemoryStoreOptions options_;
  absl::Mutex mutex_;
  std::map<std::string, Log> logs_ ABSL_GUARDED_BY(mutex_);
  std::set<Deadline, Earlier> deadlines_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sessioncast::control
