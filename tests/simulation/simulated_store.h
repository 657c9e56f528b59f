// A store in memory that fails as a disk does, by the seed, and writes what is durable into the
// naive log.
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/memory_store.h"
#include "tests/simulation/naive_log.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

class SimulatedStore : public control::Store {
 public:
  SimulatedStore(Scheduler& scheduler, NaiveLog& log) : scheduler_(scheduler), log_(log) {}

  // Of 100 calls, so many fail from now on.
  void FailSome(uint32_t percent) { fail_percent_ = percent; }
  // What was left of the groups that found it full shows now, in part or as a whole.
  void MakeRoom();
  bool full() const { return full_; }
  uint64_t failures() const { return failures_; }

  std::vector<control::AppendOutcome> Commit(
      absl::Span<const control::StoreAppendPtr> group) override;
  absl::Status CheckWritable() const override;
  absl::Status Load(const std::string& session_id,
                    absl::FunctionRef<void(const control::StoredSession&)> session,
                    absl::FunctionRef<void(const control::StoredEventPtr&)> each) override;
  absl::Status ReadRange(const control::StoreRange& range,
                         absl::FunctionRef<bool(const control::StoredEventPtr&)> each) override;
  absl::StatusOr<std::vector<v1::SessionSummary>> ListSessions(const std::string& after_session_id,
                                                               size_t sessions_max) override;
  absl::StatusOr<std::vector<control::Deadline>> DueDeadlines(absl::Time until,
                                                              size_t deadlines_max) override;

 private:
  // Makes the first `count` of them durable.
  std::vector<control::AppendOutcome> Store(absl::Span<const control::StoreAppendPtr> group,
                                            size_t count);
  bool Fails();

  Scheduler& scheduler_;
  NaiveLog& log_;
  control::MemoryStore store_;
  uint32_t fail_percent_ = 0;
  bool full_ = false;
  std::vector<control::StoreAppendPtr> left_;
  uint64_t failures_ = 0;
};

}  // namespace sessioncast::test
