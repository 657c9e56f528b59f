#include "control/commit_queue.h"

#include "absl/strings/str_cat.h"

namespace sessioncast::control {

CommitQueue::CommitQueue(Store& store, CommitQueueOptions options)
    : store_(store), options_(options) {
  writer_ = std::thread([this] { WriteGroups(); });
  teller_ = std::thread([this] { TellOutcomes(); });
}

CommitQueue::~CommitQueue() { Stop(); }

void CommitQueue::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (writer_.joinable()) writer_.join();
  if (teller_.joinable()) teller_.join();
}

absl::StatusOr<CommitQueue::Reservation> CommitQueue::Reserve(size_t bytes) {
  if (reserved_bytes_.fetch_add(bytes) + bytes > options_.in_flight_bytes_max) {
    reserved_bytes_.fetch_sub(bytes);
    return absl::ResourceExhaustedError(absl::StrCat(
        "publishes in flight: at most ", options_.in_flight_bytes_max, " bytes; try again later"));
  }
  return Reservation(reserved_bytes_, bytes);
}

void CommitQueue::Push(StoreAppendPtr append, Done done) {
  absl::MutexLock lock(&mutex_);
  queued_.appends.push_back(std::move(append));
  queued_.done.push_back(std::move(done));
}

bool CommitQueue::CanWrite() const { return stopping_ || !queued_.appends.empty(); }
bool CommitQueue::CanTell() const { return writer_ended_ || !committed_.empty(); }

void CommitQueue::WriteGroups() {
  while (true) {
    Group group;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &CommitQueue::CanWrite));
      if (queued_.appends.empty()) {
        writer_ended_ = true;
        return;
      }
      std::swap(group, queued_);
    }
    group.outcomes = store_.Commit(group.appends);
    absl::MutexLock lock(&mutex_);
    committed_.push_back(std::move(group));
  }
}

void CommitQueue::TellOutcomes() {
  while (true) {
    std::vector<Group> groups;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &CommitQueue::CanTell));
      if (committed_.empty()) return;
      std::swap(groups, committed_);
    }
    for (Group& group : groups) {
      for (size_t i = 0; i < group.done.size(); ++i) group.done[i](group.outcomes[i]);
    }
  }
}

}  // namespace sessioncast::control
