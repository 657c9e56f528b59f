#include "tests/simulation/simulated_store.h"

#include <utility>

#include "tests/control/store_appends.h"

namespace sessioncast::test {
namespace {

absl::Status Failure() { return absl::UnavailableError("the disk failed, by the seed"); }

}  // namespace

bool SimulatedStore::Fails() {
  if (!scheduler_.Chance(fail_percent_)) return false;
  ++failures_;
  return true;
}

std::vector<control::AppendOutcome> SimulatedStore::Store(
    absl::Span<const control::StoreAppendPtr> group, size_t count) {
  std::vector<control::AppendOutcome> outcomes = store_.Commit(group.subspan(0, count));
  for (size_t i = 0; i < count; ++i) {
    if (outcomes[i].status.ok()) log_.Append(*group[i], scheduler_.now());
  }
  return outcomes;
}

std::vector<control::AppendOutcome> SimulatedStore::Commit(
    absl::Span<const control::StoreAppendPtr> group) {
  const std::vector<control::AppendOutcome> unknown(group.size(), {Failure(), {}});
  if (full_) {
    ++failures_;
    return unknown;
  }
  if (!Fails()) return Store(group, group.size());
  switch (scheduler_.Pick(3)) {
    case 0:  // nothing of it is stored, or all, or a part
      Store(group, scheduler_.Pick(static_cast<uint32_t>(group.size()) + 1));
      return unknown;
    case 1:
      Store(group, group.size());
      return unknown;
    default:
      full_ = true;
      left_ = AsTheDiskHasIt(group);
      return unknown;
  }
}

void SimulatedStore::MakeRoom() {
  const auto outcomes = Store(left_, scheduler_.Pick(static_cast<uint32_t>(left_.size()) + 1));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    // What only moves a deadline changes nothing that is spoken of.
    const bool shows = !left_[i]->events.empty() || left_[i]->removes_session;
    if (outcomes[i].status.ok() && shows) log_.ShowsLate(left_[i]->session_id);
  }
  left_.clear();
  full_ = false;
}

absl::Status SimulatedStore::CheckWritable() const {
  if (full_) return absl::ResourceExhaustedError("the disk is full, by the seed");
  return absl::OkStatus();
}

absl::Status SimulatedStore::Load(const std::string& session_id,
                                  absl::FunctionRef<void(const control::StoredSession&)> session,
                                  absl::FunctionRef<void(const control::StoredEventPtr&)> each) {
  if (Fails()) return Failure();
  log_.Loaded(session_id);
  return store_.Load(session_id, session, each);
}

absl::Status SimulatedStore::ReadRange(
    const control::StoreRange& range,
    absl::FunctionRef<bool(const control::StoredEventPtr&)> each) {
  return Fails() ? Failure() : store_.ReadRange(range, each);
}

absl::StatusOr<std::vector<v1::SessionSummary>> SimulatedStore::ListSessions(
    const std::string& after_session_id, size_t sessions_max) {
  return store_.ListSessions(after_session_id, sessions_max);
}

absl::StatusOr<std::vector<control::Deadline>> SimulatedStore::DueDeadlines(absl::Time until,
                                                                            size_t deadlines_max) {
  if (Fails()) return Failure();
  return store_.DueDeadlines(until, deadlines_max);
}

}  // namespace sessioncast::test
