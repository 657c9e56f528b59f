#include "control/memory_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

size_t BytesOf(const FoldState& fold) {
  size_t bytes = 0;
  for (const StoredEventPtr& event : fold.entries) bytes += event->bytes_held();
  return bytes;
}

}  // namespace

std::vector<AppendOutcome> MemoryStore::Commit(absl::Span<const StoreAppendPtr> group) {
  absl::MutexLock lock(&mutex_);
  std::vector<AppendOutcome> outcomes;
  for (const StoreAppendPtr& append : group) outcomes.push_back(Append(*append));
  return outcomes;
}

AppendOutcome MemoryStore::Append(const StoreAppend& append) {
  const auto found = logs_.find(append.session_id);
  const Position top = found == logs_.end() ? Position() : found->second.session.position;
  if (absl::Status behind = CheckBehind(append, top); !behind.ok()) return {std::move(behind), top};
  size_t bytes = 0;
  for (const StoredEventPtr& event : append.events) bytes += event->bytes_held();
  if (bytes_ + bytes > options_.bytes_max) {
    return {absl::ResourceExhaustedError(
                absl::StrCat("the store in memory is full: ", options_.bytes_max, " bytes")),
            top};
  }
  SetDeadlines(append);
  if (append.removes_session) {
    if (found != logs_.end()) {
      bytes_ -= found->second.bytes;
      logs_.erase(found);
    }
    return {absl::OkStatus(), {}};
  }
  Log& log = logs_[append.session_id];
  bytes_ -= log.bytes;
  log.events.insert(log.events.end(), append.events.begin(), append.events.end());
  log.bytes += bytes;
  Remember(append.session, log);
  bytes_ += log.bytes;
  return {absl::OkStatus(), {}};
}

void MemoryStore::SetDeadlines(const StoreAppend& append) {
  for (const Deadline& deadline : append.deadlines_cleared) deadlines_.erase(deadline);
  for (const Deadline& deadline : append.deadlines_set) deadlines_.insert(deadline);
}

void MemoryStore::Remember(const StoredSession& session, Log& log) {
  for (uint64_t first = log.session.first_sequence; first < session.first_sequence; ++first) {
    log.bytes -= log.events.front()->bytes_held();
    log.events.pop_front();
  }
  std::optional<FoldState> fold = std::move(log.session.fold);
  log.session = session;
  if (session.fold.has_value()) {
    log.bytes -= fold.has_value() ? BytesOf(*fold) : 0;
    log.bytes += BytesOf(*session.fold);
  } else {
    log.session.fold = std::move(fold);
  }
}

absl::Status MemoryStore::Load(const std::string& session_id,
                               absl::FunctionRef<void(const StoredSession&)> session,
                               absl::FunctionRef<void(const StoredEventPtr&)> each) {
  Log log;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(session_id);
    if (found == logs_.end()) return absl::OkStatus();
    log = found->second;
  }
  session(log.session);
  for (const StoredEventPtr& event : log.events) each(event);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StoredEventPtr>> MemoryStore::EventsOf(const StoreRange& range) {
  absl::MutexLock lock(&mutex_);
  const auto found = logs_.find(range.session_id);
  if (found == logs_.end()) return absl::OutOfRangeError("there is no such session any more");
  const StoredSession& session = found->second.session;
  if (session.position.epoch() != range.epoch) {
    return absl::OutOfRangeError("the session has another epoch");
  }
  if (range.after + 1 < session.first_sequence) {
    return absl::OutOfRangeError("the events are not kept any more");
  }
  if (range.through > session.position.sequence()) {
    return absl::DataLossError("events are missing in the store");
  }
  const auto begin = found->second.events.begin() +
                     static_cast<ptrdiff_t>(range.after + 1 - session.first_sequence);
  return std::vector<StoredEventPtr>(begin,
                                     begin + static_cast<ptrdiff_t>(range.through - range.after));
}

absl::Status MemoryStore::ReadRange(const StoreRange& range,
                                    absl::FunctionRef<bool(const StoredEventPtr&)> each) {
  const absl::StatusOr<std::vector<StoredEventPtr>> events = EventsOf(range);
  if (!events.ok()) return events.status();
  for (const StoredEventPtr& event : *events) {
    if (!each(event)) break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SessionSummary>> MemoryStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::SessionSummary> sessions;
  for (auto at = logs_.upper_bound(after_session_id); at != logs_.end(); ++at) {
    if (sessions.size() == sessions_max) break;
    sessions.push_back(SummaryOf(at->first, at->second.session));
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
