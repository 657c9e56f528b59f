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
      retention_(options.kept),
      durable_fold_(options.fold),
      assigned_fold_(options.fold) {}

void History::Restore(const StoredSession& session) {
  assert(assigned_.sequence == 0);
  epoch_ = session.position.epoch();
  create_time_ = session.create_time;
  durable_ = {session.first_sequence - 1, session.update_time, session.first_sequence};
  assigned_ = durable_;
  if (!session.fold.has_value()) return;
  durable_fold_.Restore(*session.fold);
  assigned_fold_.Restore(*session.fold);
}

void History::Restore(const StoredEventPtr& event) {
  assert(event->sequence == durable_.sequence + 1 && event->epoch == epoch_ && pending_.empty());
  RememberKey(*event);
  retention_.Add(event->sequence, event->time, event->bytes.size());
  assigned_fold_.Apply(event);
  AddToWindow(event);
  durable_.time = event->time;
  assigned_ = durable_;
}

Answer History::Append(v1::Event event, std::string idempotency_key, const Stamp& stamp) {
  std::vector<Publication> one;
  one.push_back({std::move(event), std::move(idempotency_key)});
  return std::move(AppendAll(std::move(one), stamp).front());
}

History::Answers History::AppendAll(std::vector<Publication> publications, const Stamp& stamp) {
  Answers answers;
  const uint64_t after = assigned_.sequence;
  Answer* last = nullptr;
  answers.reserve(publications.size());
  for (auto& [event, key] : publications) {
    answers.push_back(Judge(std::move(event), std::move(key), stamp));
    if (!answers.back().appended.empty()) last = &answers.back();
  }
  if (last != nullptr) EndAppend(after, stamp, *last);
  return answers;
}

Answer History::Judge(v1::Event event, std::string idempotency_key, const Stamp& stamp) {
  const uint64_t payload_hash = idempotency_key.empty() ? 0 : PayloadHash(event);
  if (std::optional<Answer> known = FindKey(idempotency_key, payload_hash); known.has_value())
    return *known;
  if (const uint64_t end = assigned_fold_.totals().end_sequence; end != 0) {
    return Refuse(absl::FailedPreconditionError(absl::StrCat("session_id: session '", session_id_,
                                                             "' has ended, at sequence ", end)),
                  end);
  }
  if (std::optional<Answer> refused = RefuseClarification(event); refused.has_value())
    return *refused;
  Answer answer = BeginAppend();
  if (assigned_fold_.counts().clarifications_open > 0 &&
      HandlingOf(event).delivery == v1::DELIVERY_TERMINAL) {
    CancelOpenClarifications(stamp, answer);
  }
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
  Answer answer = BeginAppend();
  Assign(EndOfClarification(*known, end.status, end.response), "", 0, stamp, answer);
  EndAppend(answer.after.sequence(), stamp, answer);
  return answer;
}

bool History::AwaitsAnswer() const {
  const std::vector<StoredEventPtr> open = assigned_fold_.OpenClarifications();
  return std::any_of(open.begin(), open.end(), [](const StoredEventPtr& event) {
    return event->summary.clarification->deadline.has_value();
  });
}

History::Due History::DueAt(absl::Time now) const {
  if (assigned_.sequence == 0) return Due::kNothing;
  if (assigned_fold_.totals().end_sequence != 0)
    return now >= assigned_.time + ended_kept() ? Due::kDeletion : Due::kLater;
  return now >= assigned_.time + time_to_live() && !AwaitsAnswer() ? Due::kExpiry : Due::kLater;
}

Deadline History::NextDeadline(absl::Time now) const {
  absl::Time next = assigned_.time + ended_kept();
  if (assigned_fold_.totals().end_sequence == 0) {
    const absl::Time expiry = assigned_.time + time_to_live();
    // Past it, an open clarification holds it off, and its end is an event.
    next = std::min(expiry > now ? expiry : now + time_to_live(), now + ended_kept());
  }
  // Upwards, so that it is ahead.
  const absl::Duration since_1970 = absl::Ceil(next - absl::UnixEpoch(), absl::Milliseconds(1));
  return {absl::UnixEpoch() + since_1970, session_id_, ""};
}

Answer History::PassDeadline(const Deadline& passed, const Stamp& stamp) {
  Answer answer = BeginAppend();
  if (DueAt(stamp.now) == Due::kExpiry) {
    CancelOpenClarifications(stamp, answer);
    Assign(ExpiryOf(session_id_, assigned_fold_.LastProgress()), "", 0, stamp, answer);
    EndAppend(answer.after.sequence(), stamp, answer);
  }
  answer.deadlines_cleared.push_back(passed);
  answer.deadlines_set.push_back(NextDeadline(stamp.now));
  return answer;
}

std::optional<Answer> History::FindKey(const std::string& idempotency_key,
                                       uint64_t payload_hash) const {
  if (idempotency_key.empty()) return std::nullopt;
  const auto found = keys_.find(idempotency_key);
  if (found == keys_.end() || found->second->sequence < assigned_.first) return std::nullopt;
  const KnownKey& known = *found->second;
  if (known.payload_hash != payload_hash) {
    return Refuse(absl::AlreadyExistsError(absl::StrCat(
                      "idempotency_key: was used for another event, at sequence ", known.sequence)),
                  known.sequence);
  }
  Answer answer;
  answer.outcome = Answer::Outcome::kDuplicate;
  answer.rests_on = known.sequence;
  answer.position = PositionOf(known.sequence);
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
    // Waiting does not help: they are open until somebody answers.
    return Refuse(absl::FailedPreconditionError(absl::StrCat("clarification: at most ",
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

Answer History::BeginAppend() const {
  Answer answer;
  answer.outcome = Answer::Outcome::kAppended;
  answer.after = PositionOf(assigned_.sequence);
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
  if (assigned_.sequence == 0) {
    epoch_ = stamp.fresh_epoch;
    create_time_ = stamp.now;
    assigned_.time = stamp.now;
    answer.deadlines_set.push_back(NextDeadline(stamp.now));
  }
  ++assigned_.sequence;
  assigned_.time = std::max(assigned_.time, stamp.now);
  FillFrom(assigned_fold_.counts(), event);
  *event.mutable_position() = PositionOf(assigned_.sequence);
  *event.mutable_time() = ToTimestamp(assigned_.time);
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
  retention_.Add(stored->sequence, stored->time, stored->bytes.size());
  assigned_fold_.Apply(stored);
  pending_.push_back({stored, assigned_});
  answer.appended.push_back(stored);
  answer.rests_on = assigned_.sequence;
  answer.position = PositionOf(assigned_.sequence);
}

void History::EndAppend(uint64_t after, const Stamp& stamp, Answer& answer) {
  const uint64_t first = retention_.FirstToKeep(assigned_.first, after + 1, stamp.now);
  if (first == assigned_.first) return;
  assigned_.first = first;
  pending_.back().head = assigned_;
  answer.fold = assigned_fold_.State();
}

void History::Durable(uint64_t through) {
  assert(through <= assigned_.sequence);
  while (!pending_.empty() && pending_.front().event->sequence <= through) {
    AddToWindow(pending_.front().event);
    durable_ = pending_.front().head;
    pending_.pop_front();
  }
  retention_.RemoveBefore(durable_.first);
  ForgetKeysBefore(durable_.first);
  TrimWindow();
}

void History::Drop(uint64_t first) {
  assert(first > durable_.sequence);
  while (!pending_.empty() && pending_.back().event->sequence >= first) {
    retention_.RemoveLast(pending_.back().event->bytes.size());
    pending_.pop_back();
  }
  assigned_ = pending_.empty() ? durable_ : pending_.back().head;
  ForgetKeysFrom(first);
  assigned_fold_ = durable_fold_;
  for (const Pending& pending : pending_) assigned_fold_.Apply(pending.event);
  if (assigned_.sequence == 0) epoch_.clear();
}

void History::RememberKey(const StoredEvent& event) {
  if (event.idempotency_key.empty()) return;
  key_order_.push_back({event.idempotency_key, event.sequence, event.payload_hash});
  keys_[event.idempotency_key] = &key_order_.back();
  key_bytes_ += 2 * event.idempotency_key.size() + kKeyOverheadBytes;
}

// A key that was used again, once its first event was not kept any more, is the first one's again.
void History::ForgetKeysFrom(uint64_t sequence) {
  while (!key_order_.empty() && key_order_.back().sequence >= sequence) {
    key_bytes_ -= 2 * key_order_.back().key.size() + kKeyOverheadBytes;
    key_order_.pop_back();
  }
  keys_.clear();
  for (const KnownKey& known : key_order_) keys_[known.key] = &known;
}

void History::ForgetKeysBefore(uint64_t sequence) {
  while (!key_order_.empty() && key_order_.front().sequence < sequence) {
    const KnownKey& oldest = key_order_.front();
    if (const auto found = keys_.find(oldest.key); found->second == &oldest) keys_.erase(found);
    key_bytes_ -= 2 * oldest.key.size() + kKeyOverheadBytes;
    key_order_.pop_front();
  }
}

void History::AddToWindow(const StoredEventPtr& event) {
  assert(event->sequence == durable_.sequence + 1);
  durable_.sequence = event->sequence;
  durable_fold_.Apply(event);
  window_.push_back(event);
  window_bytes_ += event->bytes_held();
  TrimWindow();
}

void History::TrimWindow() {
  while (!window_.empty() && (window_.size() > options_.window_events_max ||
                              window_bytes_ > options_.window_bytes_max ||
                              window_.front()->sequence < durable_.first)) {
    window_bytes_ -= window_.front()->bytes_held();
    window_.pop_front();
  }
}

void History::ForgetWindow() {
  window_.clear();
  window_bytes_ = 0;
}

Position History::PositionOf(uint64_t sequence) const {
  return sequence == 0 ? Position() : Position(epoch_, sequence);
}

Position History::top() const { return PositionOf(durable_.sequence); }

bool History::Has(const Position& position) const {
  const bool from_start = position.epoch().empty() && position.sequence() == 0;
  if (durable_.sequence == 0) return from_start;
  if (position.epoch() != epoch_ && !from_start) return false;
  return position.sequence() <= durable_.sequence && position.sequence() + 1 >= durable_.first;
}

Page History::Read(uint64_t after, PageLimits limits) const {
  assert(Holds(after) && after <= durable_.sequence);
  Pager pager(after, limits);
  const uint64_t first_held = durable_.sequence - window_.size() + 1;
  for (size_t at = after + 1 - first_held; at < window_.size(); ++at) {
    if (!pager.Add(window_[at])) break;
  }
  return pager.Take();
}

SnapshotView History::Snapshot() const {
  SnapshotView view;
  const FoldTotals& totals = durable_fold_.totals();
  view.summary = SummaryOf(session_id_, SessionAt(durable_, totals));
  view.events = durable_fold_.Events(0);
  view.clarifications_left_out = totals.clarifications_left_out;
  view.model_results_left_out = totals.model_results_left_out;
  return view;
}

StoredSession History::AssignedSession() const {
  return SessionAt(assigned_, assigned_fold_.totals());
}

StoredSession History::SessionAt(const Head& head, const FoldTotals& totals) const {
  return {PositionOf(head.sequence), totals.status, create_time_, head.time,
          head.first,                std::nullopt};
}

size_t History::bytes_held() const {
  return sizeof(History) + window_bytes_ + durable_fold_.bytes() + key_bytes_;
}

}  // namespace sessioncast::control
