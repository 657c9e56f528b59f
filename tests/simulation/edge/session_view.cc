#include "tests/simulation/edge/session_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sessioncast::test {
namespace {

std::string Text(const edge::Position& position) {
  return absl::StrCat(position.epoch.empty() ? "-" : position.epoch, ":", position.sequence);
}

std::string NameOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return "progress";
    case v1::Event::kModelResult:
      return "model_result";
    case v1::Event::kClarification:
      return "clarification";
    case v1::Event::kCompleted:
      return "completed";
    case v1::Event::kError:
      return "error";
    default:
      return event.custom().name();
  }
}

bool IsAskedFor(const SessionRequest& request, const edge::Position& position) {
  if (!request.after.has_value() || request.after->sequence != position.sequence) return false;
  return request.after->epoch == position.epoch || *request.after == edge::Position();
}

bool Has(const std::vector<uint64_t>& sequences, uint64_t sequence) {
  return std::binary_search(sequences.begin(), sequences.end(), sequence);
}

}  // namespace

// ---- what the client does

void SessionView::Sent(SessionRequest request) {
  // Who was recovered there is only answered.
  if (request.after.has_value() && request.after == recovered_at_) {
    request.after.reset();
  } else if (request.after.has_value() || request.kind == SessionRequest::Kind::kUnsubscribe) {
    recovered_at_.reset();
  }
  if (request.after.has_value()) request.in_range = control_.Has(session_id_, *request.after);
  requests_.push_back(std::move(request));
}

void SessionView::Begin() {
  held_ = awaits_resync_ = may_resync_ = false;
  recovered_at_.reset();
  requests_.clear();
  acks_due_.clear();
}

void SessionView::Recover(bool in_fold) {
  Begin();
  held_ = true;
  recovered_at_ = at_;
  in_fold ? ReadsFold() : ReadsLog();
}

void SessionView::ReadsLog() { tops_ = {false, {at_.sequence}}; }

// Of any top: who reads at one place shares a page, that another may have asked for long before.
void SessionView::ReadsFold() { tops_ = {true, {}}; }

// ---- what it gets

// By a subscribe that is answered with this, or by one behind it: those that wait are answered
// together.
bool SessionView::IsAnyAskedFor(const edge::Position& position) const {
  for (const SessionRequest& request : requests_) {
    if (request.kind == SessionRequest::Kind::kUnsubscribe) return false;
    if (IsAskedFor(request, position)) return true;
  }
  return false;
}

std::string SessionView::OnSubscribed(const edge::Position& position) {
  if (requests_.empty() || requests_.front().kind != SessionRequest::Kind::kSubscribe)
    return "`subscribed`, and nobody asked";
  const bool goes_on = held_ && (position == at_ || (at_ == edge::Position() &&
                                                     position.sequence == 0));
  const bool was_asked_for = IsAnyAskedFor(position);
  const bool ends_at_once =
      std::any_of(requests_.begin(), requests_.end(), [](const SessionRequest& request) {
        return request.kind == SessionRequest::Kind::kUnsubscribe;
      });
  SessionRequest request = std::move(requests_.front());
  requests_.pop_front();
  request.told = position;
  acks_due_.push_back(request);
  const bool by_id = !request.after.has_value();
  const bool by_one_behind = was_asked_for && !IsAskedFor(request, position);
  if (by_id && held_ && !was_asked_for && !goes_on && !ends_at_once)
    return absl::StrCat("`subscribed` at ", Text(position), " by who is at ", Text(at_));
  may_resync_ = may_resync_ || by_one_behind || ends_at_once || !request.in_range ||
                request.after == edge::Position();
  if (goes_on && by_id) return {};
  if (goes_on && was_asked_for) {
    CloseTops();
    tops_.may_be.insert(at_.sequence);
    return {};
  }
  held_ = true;
  at_ = position;
  if (ends_at_once && !was_asked_for) return ReadsFold(), std::string();
  if (was_asked_for) {
    by_one_behind && position.sequence == 0 ? ReadsFold() : ReadsLog();
    const NaiveLife* life = Life();
    const bool exists = at_.sequence == 0 || (life != nullptr && at_.sequence <= life->top());
    if (!exists && !ends_at_once)
      return absl::StrCat("`subscribed` at ", Text(position), ", which nobody has published");
    return {};
  }
  awaits_resync_ = !by_id;
  ReadsFold();
  const NaiveLife* life = Life();
  if (position.sequence == 0) return {};
  if (life == nullptr || position.sequence > life->top() ||
      !control_.FoldOf(*life, position.sequence).empty())
    return absl::StrCat("`subscribed` at ", Text(position), ", and the fold is not empty there");
  ReadsLog();
  return {};
}

std::string SessionView::OnUnsubscribed() {
  if (requests_.empty() || requests_.front().kind != SessionRequest::Kind::kUnsubscribe)
    return "`unsubscribed`, and nobody asked";
  acks_due_.push_back(std::move(requests_.front()));
  requests_.pop_front();
  held_ = awaits_resync_ = may_resync_ = false;
  return {};
}

std::string SessionView::OnResync(const edge::Position& position) {
  if (!held_) return "`resync` of what is not subscribed";
  const bool is_due = std::exchange(awaits_resync_, false);
  // Before the first event it may have read of a life that has ended since.
  const bool at_start = at_ == edge::Position();
  if (!is_due && !may_resync_ && !at_start && control_.Has(session_id_, at_))
    return absl::StrCat("`resync` at ", Text(position), ", and reading can go on behind ", Text(at_));
  at_ = position;
  ReadsFold();
  if (position.sequence == 0) return {};
  const NaiveLife* life = Life();
  if (life == nullptr || position.sequence > life->top() ||
      !control_.FoldOf(*life, position.sequence).empty())
    return absl::StrCat("`resync` at ", Text(position), ", and the fold is not empty there");
  ReadsLog();
  return {};
}

std::string SessionView::OnEvent(const std::string& name, const nlohmann::json& payload) {
  const edge::Position position{payload["epoch"], payload["sequence"]};
  const uint64_t skipped = payload.value("skipped", uint64_t{0});
  const std::string what = absl::StrCat(name, " ", Text(position), " skipped ", skipped);
  if (!held_) return what + ", of what is not subscribed";
  if (awaits_resync_) return what + " where `resync` is due";
  if (at_ == edge::Position()) at_.epoch = position.epoch;
  if (position.epoch != at_.epoch) return absl::StrCat(what, " behind ", Text(at_));
  if (position.sequence != at_.sequence + 1 + skipped)
    return absl::StrCat(what, " behind ", Text(at_));
  const NaiveLife* life = Life();
  if (life == nullptr || position.sequence > life->top()) return what + ", which nobody published";
  const NaiveEvent& published = life->At(position.sequence);
  if (name != NameOf(published.event) ||
      payload.dump().find(absl::StrCat("\"", published.key, "\"")) == std::string::npos)
    return what + " is another event";
  CloseTops();
  std::erase_if(tops_.may_be, [&](uint64_t top) { return !Explains(top, position.sequence); });
  if (tops_.may_be.empty())
    return absl::StrCat(what, " behind ", Text(at_), ": no fold and no conflation explains it");
  at_ = position;
  may_resync_ = false;
  ++seen_;
  return {};
}

void SessionView::CloseTops() {
  if (!std::exchange(tops_.open, false)) return;
  const NaiveLife* life = Life();
  const uint64_t top = life != nullptr ? life->top() : 0;
  for (uint64_t may_be = 0; may_be <= top; ++may_be) tops_.may_be.insert(may_be);
}

// Whether, after a fold at this top and then the log, this sequence may come next.
bool SessionView::Explains(uint64_t top, uint64_t sequence) const {
  if (top <= at_.sequence && sequence == at_.sequence + 1) return true;
  if (sequence <= top && !test::Has(control_.FoldOf(*Life(), top), sequence)) return false;
  return MayLeaveOut(top, sequence);
}

// Whether, with a fold at this top and then the log, nothing need come before `until`.
bool SessionView::MayLeaveOut(uint64_t top, uint64_t until) const {
  const NaiveLife& life = *Life();
  for (uint64_t left_out = at_.sequence + 1; left_out < until; ++left_out) {
    if (left_out > top) {
      if (!life.IsSuperseded(left_out, life.top())) return false;
    } else if (test::Has(control_.FoldOf(life, top), left_out)) {
      // Replaced since, by what comes with the log.
      if (test::Has(control_.FoldOf(life, life.top()), left_out)) return false;
    }
  }
  return true;
}

// Whether nothing of the fold at this top is still to come.
bool SessionView::IsFoldComplete(uint64_t top) const {
  const NaiveLife* life = Life();
  if (life == nullptr || top <= at_.sequence) return true;
  const std::vector<uint64_t>& fold_now = control_.FoldOf(*life, life->top());
  for (const uint64_t sequence : control_.FoldOf(*life, top)) {
    if (sequence > at_.sequence && test::Has(fold_now, sequence)) return false;
  }
  return true;
}

std::string SessionView::OnAck(uint64_t ack_id, const nlohmann::json& body) {
  if (acks_due_.empty() || acks_due_.front().ack_id != ack_id)
    return absl::StrCat("acknowledgement ", ack_id, " before its notice: ", body.dump());
  const SessionRequest request = std::move(acks_due_.front());
  acks_due_.pop_front();
  const bool ok = body.value("ok", false) && body.value("sessionId", "") == session_id_;
  if (!ok) return absl::StrCat("refused: ", body.dump());
  if (request.kind == SessionRequest::Kind::kUnsubscribe) return {};
  const edge::Position position{body.value("epoch", "?"), body.value("sequence", UINT64_MAX)};
  if (position == request.told) return {};
  return absl::StrCat("acknowledged at ", Text(position), " and told ", Text(request.told));
}

std::string SessionView::OnCursor(const std::optional<edge::Place>& entry) {
  if (!entry.has_value()) return held_ ? "is not in the cursor" : "";
  if (!held_) return "is in the cursor, and not subscribed";
  // A session's first event, when it is taken back, leaves its epoch.
  const bool at_start = at_ == edge::Position() && entry->position.sequence == 0;
  if (entry->position != at_ && !at_start)
    return absl::StrCat("the cursor is at ", Text(entry->position), ", and the client at ",
                        Text(at_));
  if (entry->kind == edge::Place::Kind::kFold || awaits_resync_) return {};
  CloseTops();
  std::erase_if(tops_.may_be, [&](uint64_t top) { return !IsFoldComplete(top); });
  if (!tops_.may_be.empty()) return {};
  return absl::StrCat("the cursor is behind the fold at ", Text(at_), ", and it is not over");
}

std::string SessionView::CheckAtTop() {
  if (waits()) return "a request is not answered";
  if (!held_) return {};
  if (awaits_resync_) return "`resync` does not come";
  const edge::Position top = control_.TopOf(session_id_);
  if (at_ == top) return {};
  const std::string stays = absl::StrCat("stays at ", Text(at_), " while the top is ", Text(top));
  if (at_.epoch != top.epoch) return stays;
  // What its fold does not have, and nothing came behind.
  CloseTops();
  const bool may_stay = std::any_of(
      tops_.may_be.begin(), tops_.may_be.end(),
      [&](uint64_t fold_top) { return MayLeaveOut(fold_top, top.sequence + 1); });
  return may_stay ? "" : stays;
}

}  // namespace sessioncast::test
