// A few threads for what blocks: loading sessions and reading what is not in memory.
//
// Threads: Post from any. Bounded; a full pool refuses.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "control/loop.h"

namespace sessioncast::control {

struct WorkerPoolOptions {
  size_t threads = 4;
  size_t jobs_max = 100'000;
};

class WorkerPool {
 public:
  using Job = absl::AnyInvocable<void()>;

  WorkerPool(WorkerPoolOptions options, const StartLoop& start);
  ~WorkerPool();

  // Runs what is queued, then ends the threads; nothing is taken from then on.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether it was taken.
  bool Post(Job job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool CanRun() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !jobs_.empty(); }
  bool RunOne() ABSL_LOCKS_EXCLUDED(mutex_);

  const WorkerPoolOptions options_;
  absl::Mutex mutex_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<RunningLoop>> threads_;
};

}  // namespace sessioncast::control
