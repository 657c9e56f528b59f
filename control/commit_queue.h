// The way to the store: one loop writes, taking everything that is queued and committing it as one
// group; a second one tells the outcomes, in order, while the first is at the next group. Those of
// a small group behind which nothing is queued the first one tells itself: a wake less. Where many
// publish, a group is begun once in an interval: it costs the disk, and wakes who is behind it,
// once for all that came meanwhile.
//
// Threads: Reserve and Push from any. Bounded: what is pushed is covered by a reservation, and
// reservations by in_flight_bytes_max, or by one of them if that is more.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "control/loop.h"
#include "control/store.h"

namespace sessioncast::control {

struct CommitQueueOptions {
  // Publishes in flight, from their arrival until they are answered. What is more than that by
  // itself has room when nothing else is in flight: refused, it would be so for ever.
  size_t in_flight_bytes_max = 64 * 1024 * 1024;
  // From the beginning of a group of more than one event to that of the next. 0: at once.
  int64_t interval_us = 1'000;
  // A group of so many events is small. 0: none is.
  size_t small_group_events_max = 64;
  // Runs around the telling of all outcomes that are there at one time.
  std::function<void(absl::FunctionRef<void()> tell)> around_telling =
      [](absl::FunctionRef<void()> tell) { tell(); };
};

class CommitQueue {
 public:
  // Room for one publish; freed with the object.
  class Reservation {
   public:
    Reservation(std::atomic<size_t>& used, size_t bytes) : used_(&used), bytes_(bytes) {}
    Reservation(Reservation&& other) noexcept
        : used_(std::exchange(other.used_, nullptr)), bytes_(other.bytes_) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation() {
      if (used_ != nullptr) used_->fetch_sub(bytes_);
    }

   private:
    std::atomic<size_t>* used_;
    size_t bytes_;
  };

  using Done = absl::AnyInvocable<void(const AppendOutcome&)>;

  CommitQueue(Store& store, CommitQueueOptions options, const StartLoop& start);
  ~CommitQueue();

  // Commits what is queued and tells its outcomes, then ends the loops. Nothing is pushed from
  // then on.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // RESOURCE_EXHAUSTED when there is no room.
  absl::StatusOr<Reservation> Reserve(size_t bytes);
  // What is reserved now.
  size_t in_flight_bytes() const { return reserved_bytes_.load(std::memory_order_relaxed); }
  // Appends of one session are committed in the order of their pushes. `done` runs in one of the
  // loops.
  void Push(StoreAppendPtr append, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Group {
    std::vector<StoreAppendPtr> appends;
    std::vector<Done> done;
    std::vector<AppendOutcome> outcomes;
    size_t events = 0;
  };

  void AwaitGroup() ABSL_LOCKS_EXCLUDED(mutex_);
  bool CanWrite() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool CanTell() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool WriteGroup() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TellOutcomes() ABSL_LOCKS_EXCLUDED(mutex_);
  void Tell(std::vector<Group> groups) ABSL_LOCKS_EXCLUDED(mutex_);

  Store& store_;
  const CommitQueueOptions options_;
  std::atomic<size_t> reserved_bytes_{0};
  absl::Mutex mutex_;
  Group queued_ ABSL_GUARDED_BY(mutex_);
  std::vector<Group> committed_ ABSL_GUARDED_BY(mutex_);
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;  // of committed ones
  SteadyClock::time_point next_group_;  // of the writer; not sooner
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool writer_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<RunningLoop> writer_;
  std::unique_ptr<RunningLoop> teller_;
};

}  // namespace sessioncast::control
