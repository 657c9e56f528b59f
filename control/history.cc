#include "control/history.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

constexpr size_t kKeyOverheadBytes = 100;

bool IsPending(const StoredEvent& event) {
  return event.summary.clarification->status == v1::CLARIFICATION_STATUS_PENDING;
}

std::optional<Deadline> DeadlineOf(const std::string& session_id, const StoredEvent& event) {
  const std::optional<ClarificationNote>& note = event.summary.clarification;
  if (!note.has_value() || !note->deadline.has_value()) return std::nullopt;
  return Deadline{absl::FromUnixMillis(absl::ToUnixMillis(*note->deadline)), session_id, note->id};
}

}  // namespace

History::History(std::string session_id, HistoryOptions options)
    : session_id_(std::move(session_id)),
      options_(options),
      durable_fold_(options.fold),
      assigned_fold_(options.fold) {}

void History::Restore(const StoredEventPtr& event) {
  assert(event->sequence == durable_ + 1 && pending_.empty());
  epoch_ = event->epoch;
  if (event->sequence == 1) create_time_ = event->time;
  assigned_ = event->sequence;
  assigned_time_ = event->time;
  RememberKey(*event);
  assigned_fold_.Apply(event);
  AddToWindow(event);
}

Answer History::Append(v1::Event event, std::string idempotency_key, const Stamp& stamp) {
  const uint64_t payload_hash = idempotency_key.empty() ? 0 : PayloadHash(event);
  if (std::optional<Answer> known = FindKey(idempotency_key, payload_hash); known.has_value())
    return *known;
  if (const uint64_t end = assigned_fold_.end_sequence(); end != 0) {
    return Refuse(absl::FailedPreconditionError(absl::StrCat("session_id: session '", session_id_,
                                                             "' has ended, at sequence ", end)),
                  end);
  }
  if (std::optional<Answer> refused = RefuseClarification(event); refused.has_value())
    return *refused;
  Answer answer;
  answer.outcome = Answer::Outcome::kAppended;
  if (HandlingOf(event).delivery == v1::DELIVERY_TERMINAL) CancelOpenClarifications(stamp, answer);
  Assign(std::move(event), std::move(idempotency_key), payload_hash, stamp, answer);
  return answer;
}

Answer History::Ask(v1::Event event, const Stamp& stamp) {
  const v1::Clarification& asked = event.clarification();
  const StoredEventPtr known = assigned_fold_.Clarification(asked.clarification_id());
  if (known == nullptr) return Append(std::move(event), "", stamp);
  if (EventOf(*known).clarification().question() != asked.question()) {
    return Refuse(
        absl::AlreadyExistsError(absl::StrCat("clarification_id: '", asked.clarification_id(),
                                              "' was asked with another question")),
        known->sequence);
  }
  Answer answer;
  answer.outcome = Answer::Outcome::kDuplicate;
  answer.rests_on = known->sequence;
  answer.position = PositionOf(known->sequence);
  return answer;
}

Answer History::EndClarification(const ClarificationEnd& end, const Stamp& stamp) {
  const StoredEventPtr known = assigned_fold_.Clarification(end.clarification_id);
  if (known == nullptr) {
    return Refuse(
        absl::NotFoundError(absl::StrCat("clarification_id: session '", session_id_,
                                         "' has no clarification '", end.clarification_id, "'")),
        0);
  }
  if (!IsPending(*known)) {
    Answer answer =
        Refuse(absl::AlreadyExistsError(absl::StrCat("clarification_id: clarification '",
                                                     end.clarification_id, "' has ended")),
               known->sequence);
    answer.winner = known;
    return answer;
  }
  Answer answer;
  answer.outcome = Answer::Outcome::kAppended;
  Assign(EndOfClarification(*known, end.status, end.response), "", 0, stamp, answer);
  return answer;
}

std::optional<Answer> History::FindKey(const std::string& idempotency_key,
                                       uint64_t payload_hash) const {
  if (idempotency_key.empty()) return std::nullopt;
  const auto known = keys_.find(idempotency_key);
  if (known == keys_.end()) return std::nullopt;
  if (known->second.payload_hash != payload_hash) {
    return Refuse(
        absl::AlreadyExistsError(absl::StrCat(
            "idempotency_key: was used for another event, at sequence ", known->second.sequence)),
        known->second.sequence);
  }
  Answer answer;
  answer.outcome = Answer::Outcome::kDuplicate;
  answer.rests_on = known->second.sequence;
  answer.position = PositionOf(known->second.sequence);
  return answer;
}

std::optional<Answer> History::RefuseClarification(const v1::Event& event) const {
  if (!event.has_clarification()) return std::nullopt;
  const std::string& id = event.clarification().clarification_id();
  if (const StoredEventPtr known = assigned_fold_.Clarification(id); known != nullptr) {
    return Refuse(absl::AlreadyExistsError(
                      absl::StrCat("clarification.clarification_id: '", id, "' was asked before")),
                  known->sequence);
  }
  if (assigned_fold_.counts().clarifications_open >= options_.open_clarifications_max) {
    return Refuse(absl::ResourceExhaustedError(absl::StrCat("clarification: at most ",
                                                            options_.open_clarifications_max,
                                                            " may be open in a session")),
                  0);
  }
  return std::nullopt;
}

Answer History::Refuse(absl::Status status, uint64_t rests_on) const {
  Answer answer;
  answer.refusal = std::move(status);
  answer.rests_on = rests_on;
  return answer;
}

void History::CancelOpenClarifications(const Stamp& stamp, Answer& answer) {
  for (const StoredEventPtr& pending : assigned_fold_.OpenClarifications()) {
    Assign(EndOfClarification(*pending, v1::CLARIFICATION_STATUS_CANCELLED, std::nullopt), "", 0,
           stamp, answer);
  }
}

void History::Assign(v1::Event event, std::string idempotency_key, uint64_t payload_hash,
                     const Stamp& stamp, Answer& answer) {
  if (assigned_ == 0) {
    epoch_ = stamp.fresh_epoch;
    create_time_ = stamp.now;
    assigned_time_ = stamp.now;
  }
  ++assigned_;
  assigned_time_ = std::max(assigned_time_, stamp.now);
  FillFrom(assigned_fold_.counts(), event);
  *event.mutable_position() = PositionOf(assigned_);
  *event.mutable_time() = ToTimestamp(assigned_time_);
  const StoredEventPtr stored = MakeStoredEvent(event, std::move(idempotency_key), payload_hash);
  if (std::optional<Deadline> deadline = DeadlineOf(session_id_, *stored)) {
    answer.deadlines_set.push_back(*std::move(deadline));
  }
  if (stored->summary.clarification.has_value() && !IsPending(*stored)) {
    const StoredEventPtr asked = assigned_fold_.Clarification(stored->summary.clarification->id);
    if (std::optional<Deadline> deadline = DeadlineOf(session_id_, *asked)) {
      answer.deadlines_cleared.push_back(*std::move(deadline));
    }
  }
  RememberKey(*stored);
  assigned_fold_.Apply(stored);
  pending_.push_back(stored);
  answer.appended.push_back(stored);
  answer.rests_on = assigned_;
  answer.position = PositionOf(assigned_);
}

void History::Durable(uint64_t through) {
  assert(through <= assigned_);
  while (!pending_.empty() && pending_.front()->sequence <= through) {
    AddToWindow(pending_.front());
    pending_.pop_front();
  }
}

void History::Drop(uint64_t first) {
  assert(first > durable_);
  while (!pending_.empty() && pending_.back()->sequence >= first) {
    ForgetKeyOf(*pending_.back());
    pending_.pop_back();
  }
  assigned_ = pending_.empty() ? durable_ : pending_.back()->sequence;
  assigned_time_ = pending_.empty() ? durable_time_ : pending_.back()->time;
  assigned_fold_ = durable_fold_;
  for (const StoredEventPtr& event : pending_) assigned_fold_.Apply(event);
  if (assigned_ == 0) epoch_.clear();
}

void History::RememberKey(const StoredEvent& event) {
  if (event.idempotency_key.empty()) return;
  keys_[event.idempotency_key] = KnownKey{event.sequence, event.payload_hash};
  key_order_.push_back(event.idempotency_key);
  key_bytes_ += 2 * event.idempotency_key.size() + kKeyOverheadBytes;
  while (key_order_.size() > options_.idempotency_keys_max) {
    key_bytes_ -= 2 * key_order_.front().size() + kKeyOverheadBytes;
    keys_.erase(key_order_.front());
    key_order_.pop_front();
  }
}

void History::ForgetKeyOf(const StoredEvent& event) {
  if (event.idempotency_key.empty() || keys_.erase(event.idempotency_key) == 0) return;
  assert(key_order_.back() == event.idempotency_key);
  key_bytes_ -= 2 * event.idempotency_key.size() + kKeyOverheadBytes;
  key_order_.pop_back();
}

void History::AddToWindow(const StoredEventPtr& event) {
  assert(event->sequence == durable_ + 1);
  durable_ = event->sequence;
  durable_time_ = event->time;
  durable_fold_.Apply(event);
  window_.push_back(event);
  window_bytes_ += event->bytes_held();
  TrimWindow();
}

void History::TrimWindow() {
  while (window_.size() > options_.window_events_max || window_bytes_ > options_.window_bytes_max) {
    window_bytes_ -= window_.front()->bytes_held();
    window_.pop_front();
  }
}

void History::ForgetWindow() {
  window_.clear();
  window_bytes_ = 0;
}

v1::Position History::PositionOf(uint64_t sequence) const {
  v1::Position position;
  if (sequence == 0) return position;
  position.set_epoch(epoch_);
  position.set_sequence(sequence);
  return position;
}

v1::Position History::top() const { return PositionOf(durable_); }

bool History::Has(const v1::Position& position) const {
  if (position.epoch().empty()) return position.sequence() == 0;
  return durable_ != 0 && position.epoch() == epoch_ && position.sequence() <= durable_;
}

Page History::Read(uint64_t after, PageLimits limits) const {
  assert(Holds(after) && after <= durable_);
  Pager pager(after, limits);
  const uint64_t first_held = durable_ - window_.size() + 1;
  for (size_t at = after + 1 - first_held; at < window_.size(); ++at) {
    if (!pager.Add(window_[at])) break;
  }
  return pager.Take();
}

SnapshotView History::Snapshot() const {
  SnapshotView view;
  view.summary.set_session_id(session_id_);
  view.summary.set_status(durable_fold_.status());
  *view.summary.mutable_position() = top();
  *view.summary.mutable_create_time() = ToTimestamp(create_time_);
  *view.summary.mutable_update_time() = ToTimestamp(durable_time_);
  view.events = durable_fold_.Events(0);
  view.clarifications_left_out = durable_fold_.clarifications_left_out();
  view.model_results_left_out = durable_fold_.model_results_left_out();
  return view;
}

v1::SessionSummary History::AssignedSummary() const {
  v1::SessionSummary summary;
  summary.set_session_id(session_id_);
  summary.set_status(assigned_fold_.status());
  *summary.mutable_position() = PositionOf(assigned_);
  *summary.mutable_create_time() = ToTimestamp(create_time_);
  *summary.mutable_update_time() = ToTimestamp(assigned_time_);
  return summary;
}

size_t History::bytes_held() const {
  return sizeof(History) + window_bytes_ + durable_fold_.bytes() + key_bytes_;
}

}  // namespace sessioncast::control
