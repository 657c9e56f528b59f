#include "control/memory_store.h"

#include "absl/strings/str_cat.h"

namespace sessioncast::control {

std::vector<AppendOutcome> MemoryStore::Commit(absl::Span<const StoreAppendPtr> group) {
  absl::MutexLock lock(&mutex_);
  std::vector<AppendOutcome> outcomes;
  for (const StoreAppendPtr& append : group) outcomes.push_back(Append(*append));
  return outcomes;
}

AppendOutcome MemoryStore::Append(const StoreAppend& append) {
  const StoredEvent& first = *append.events.front();
  const auto found = logs_.find(append.session_id);
  const v1::Position top = found == logs_.end() ? v1::Position() : found->second.summary.position();
  const bool same_epoch = top.sequence() == 0 || top.epoch() == first.epoch;
  if (top.sequence() + 1 != first.sequence || !same_epoch) {
    return {absl::AbortedError(
                absl::StrCat("the top is ", top.sequence(), ", not ", first.sequence - 1)),
            top};
  }
  size_t bytes = 0;
  for (const StoredEventPtr& event : append.events) bytes += event->bytes_held();
  if (bytes_ + bytes > options_.bytes_max) {
    return {absl::ResourceExhaustedError(
                absl::StrCat("the store in memory is full: ", options_.bytes_max, " bytes")),
            top};
  }
  bytes_ += bytes;
  Log& log = logs_[append.session_id];
  log.summary = append.summary;
  log.events.insert(log.events.end(), append.events.begin(), append.events.end());
  for (const Deadline& deadline : append.deadlines_set) deadlines_.insert(deadline);
  for (const Deadline& deadline : append.deadlines_cleared) deadlines_.erase(deadline);
  return {absl::OkStatus(), {}};
}

std::vector<StoredEventPtr> MemoryStore::EventsOf(const std::string& session_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = logs_.find(session_id);
  return found == logs_.end() ? std::vector<StoredEventPtr>() : found->second.events;
}

absl::Status MemoryStore::Load(const std::string& session_id,
                               absl::FunctionRef<void(const StoredEventPtr&)> each) {
  for (const StoredEventPtr& event : EventsOf(session_id)) each(event);
  return absl::OkStatus();
}

absl::Status MemoryStore::ReadRange(const StoreRange& range,
                                    absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  const std::vector<StoredEventPtr> events = EventsOf(range.session_id);
  if (!events.empty() && events.front()->epoch != range.epoch) {
    return absl::OutOfRangeError("the session has another epoch");
  }
  if (range.through > events.size()) return absl::DataLossError("events are missing in the store");
  for (uint64_t sequence = range.after + 1; sequence <= range.through; ++sequence) {
    if (!each(events[sequence - 1])) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SessionSummary>> MemoryStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::SessionSummary> sessions;
  for (auto at = logs_.upper_bound(after_session_id); at != logs_.end(); ++at) {
    if (sessions.size() == sessions_max) break;
    sessions.push_back(at->second.summary);
  }
  return sessions;
}

absl::StatusOr<std::vector<Deadline>> MemoryStore::DueDeadlines(absl::Time until,
                                                                size_t deadlines_max) {
  absl::MutexLock lock(&mutex_);
  std::vector<Deadline> due;
  for (const Deadline& deadline : deadlines_) {
    if (deadline.time > until || due.size() == deadlines_max) break;
    due.push_back(deadline);
  }
  return due;
}

}  // namespace sessioncast::control
