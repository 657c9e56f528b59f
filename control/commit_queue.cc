#include "control/commit_queue.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace sessioncast::control {

CommitQueue::CommitQueue(Store& store, CommitQueueOptions options, const StartLoop& start)
    : store_(store), options_(options) {
  Loop writer = LoopWhen(mutex_, absl::Condition(this, &CommitQueue::CanWrite),
                         [this] { return WriteGroup(); });
  writer.await = [this] { AwaitGroup(); };
  writer_ = start(std::move(writer));
  teller_ = start(LoopWhen(mutex_, absl::Condition(this, &CommitQueue::CanTell),
                           [this] { return TellOutcomes(); }));
}

CommitQueue::~CommitQueue() { Stop(); }

void CommitQueue::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  writer_.reset();
  teller_.reset();
}

absl::StatusOr<CommitQueue::Reservation> CommitQueue::Reserve(size_t bytes) {
  size_t used = reserved_bytes_.load();
  do {
    if (used > 0 && used + bytes > options_.in_flight_bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("publishes in flight: at most ", options_.in_flight_bytes_max,
                       " bytes; try again later"));
    }
  } while (!reserved_bytes_.compare_exchange_weak(used, used + bytes));
  return Reservation(reserved_bytes_, bytes);
}

void CommitQueue::Push(StoreAppendPtr append, Done done) {
  absl::MutexLock lock(&mutex_);
  queued_.events += append->events.size();
  queued_.appends.push_back(std::move(append));
  queued_.done.push_back(std::move(done));
}

void CommitQueue::AwaitGroup() {
  absl::MutexLock lock(&mutex_, absl::Condition(this, &CommitQueue::CanWrite));
  const auto pause = next_group_ - SteadyClock::now();
  if (pause > pause.zero())
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(pause));
}

bool CommitQueue::CanWrite() const { return stopping_ || !queued_.appends.empty(); }
bool CommitQueue::CanTell() const { return writer_ended_ || !committed_.empty(); }

bool CommitQueue::WriteGroup() {
  Group group;
  {
    absl::MutexLock lock(&mutex_);
    if (queued_.appends.empty()) {
      writer_ended_ = true;
      return false;
    }
    std::swap(group, queued_);
  }
  if (group.events > 1)
    next_group_ = SteadyClock::now() + std::chrono::microseconds(options_.interval_us);
  group.outcomes = store_.Commit(group.appends);
  for (size_t i = 0; i < group.appends.size(); ++i) {
    if (!group.outcomes[i].status.ok()) BreakChain(*group.appends[i]);
  }
  std::vector<Group> told;
  {
    absl::MutexLock lock(&mutex_);
    const bool in_order = committed_.empty() && !telling_;
    const bool is_small = group.events <= options_.small_group_events_max;
    if (!in_order || !is_small || !queued_.appends.empty()) {
      committed_.push_back(std::move(group));
      return true;
    }
    told.push_back(std::move(group));
  }
  Tell(std::move(told));
  return true;
}

void CommitQueue::Tell(std::vector<Group> groups) {
  options_.around_telling([&groups] {
    for (Group& group : groups) {
      for (size_t i = 0; i < group.done.size(); ++i) group.done[i](group.outcomes[i]);
    }
  });
}

bool CommitQueue::TellOutcomes() {
  std::vector<Group> groups;
  {
    absl::MutexLock lock(&mutex_);
    if (committed_.empty()) return false;
    std::swap(groups, committed_);
    telling_ = true;
  }
  Tell(std::move(groups));
  absl::MutexLock lock(&mutex_);
  telling_ = false;
  return true;
}

}  // namespace sessioncast::control
