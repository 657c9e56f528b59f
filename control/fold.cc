#include "control/fold.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

// The place in the fold that an event takes, and takes from an earlier one.
std::string SlotOf(const EventSummary& summary) {
  return summary.handling.fold == v1::FOLD_LAST_BY_KEY ? summary.key : absl::StrCat(summary.kind);
}

bool IsFolded(const EventSummary& summary) {
  return summary.handling.fold == v1::FOLD_LAST || summary.handling.fold == v1::FOLD_LAST_BY_KEY;
}

}  // namespace

FoldState Fold::State() const { return {through_, Events(0), totals_}; }

void Fold::Restore(const FoldState& state) {
  through_ = state.through;
  totals_ = state.totals;
  for (const StoredEventPtr& event : state.entries) {
    slots_[SlotOf(event->summary)] = event->sequence;
    Insert(event);
  }
  HoldBounds();
}

void Fold::Apply(const StoredEventPtr& event) {
  if (event->sequence <= through_) return;
  through_ = event->sequence;
  if (event->summary.session_status != v1::SESSION_STATUS_UNSPECIFIED)
    totals_.status = event->summary.session_status;
  if (event->summary.terminal()) totals_.end_sequence = event->sequence;
  if (!IsFolded(event->summary)) return;
  Keep(event);
  HoldBounds();
}

void Fold::Keep(const StoredEventPtr& event) {
  const auto [slot, is_new] = slots_.try_emplace(SlotOf(event->summary), event->sequence);
  if (!is_new) {
    const StoredEventPtr superseded = Remove(std::exchange(slot->second, event->sequence));
    CountResult(superseded->summary.result_status, -1);
  }
  CountResult(event->summary.result_status, +1);
  Insert(event);
}

void Fold::Insert(const StoredEventPtr& event) {
  entries_.emplace_hint(entries_.end(), event->sequence, event);
  bytes_ += event->bytes.size();
  if (std::set<uint64_t>* group = GroupOf(*event); group != nullptr) group->insert(event->sequence);
}

StoredEventPtr Fold::Remove(uint64_t sequence) {
  StoredEventPtr event = std::move(entries_.extract(sequence).mapped());
  if (std::set<uint64_t>* group = GroupOf(*event); group != nullptr) group->erase(sequence);
  bytes_ -= event->bytes.size();
  return event;
}

void Fold::PushOut(uint64_t sequence) { slots_.erase(SlotOf(Remove(sequence)->summary)); }

void Fold::HoldBounds() {
  while (entries_.size() > options_.entries_max || bytes_ > options_.bytes_max) {
    if (!closed_clarifications_.empty()) {
      PushOut(*closed_clarifications_.begin());
      ++totals_.clarifications_left_out;
    } else if (!results_.empty()) {
      PushOut(*results_.begin());
      ++totals_.model_results_left_out;
    } else {
      return;
    }
  }
}

std::set<uint64_t>* Fold::GroupOf(const StoredEvent& event) {
  const EventSummary& summary = event.summary;
  if (summary.clarification.has_value()) {
    const bool open = summary.clarification->status == v1::CLARIFICATION_STATUS_PENDING;
    return open ? &open_clarifications_ : &closed_clarifications_;
  }
  return summary.result_status == v1::MODEL_RESULT_STATUS_UNSPECIFIED ? nullptr : &results_;
}

void Fold::CountResult(v1::ModelResultStatus status, int change) {
  switch (status) {
    case v1::MODEL_RESULT_STATUS_PROCESSING:
      totals_.results_processing += change;
      break;
    case v1::MODEL_RESULT_STATUS_COMPLETED:
      totals_.results_completed += change;
      break;
    case v1::MODEL_RESULT_STATUS_FAILED:
      totals_.results_failed += change;
      break;
    default:
      break;
  }
}

std::vector<StoredEventPtr> Fold::Events(uint64_t after_sequence) const {
  std::vector<StoredEventPtr> events;
  for (auto at = entries_.upper_bound(after_sequence); at != entries_.end(); ++at)
    events.push_back(at->second);
  return events;
}

StoredEventPtr Fold::Clarification(std::string_view clarification_id) const {
  const auto slot = slots_.find(ClarificationKey(clarification_id));
  return slot == slots_.end() ? nullptr : entries_.at(slot->second);
}

StoredEventPtr Fold::LastProgress() const {
  const auto slot = slots_.find(absl::StrCat(static_cast<int>(v1::Event::kProgress)));
  return slot == slots_.end() ? nullptr : entries_.at(slot->second);
}

std::vector<StoredEventPtr> Fold::OpenClarifications() const {
  std::vector<StoredEventPtr> open;
  for (const uint64_t sequence : open_clarifications_) open.push_back(entries_.at(sequence));
  return open;
}

SessionCounts Fold::counts() const {
  return {totals_.results_processing, totals_.results_completed, totals_.results_failed,
          static_cast<uint32_t>(open_clarifications_.size())};
}

}  // namespace sessioncast::control
