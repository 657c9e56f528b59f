#include "tests/simulation/naive_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sessioncast::test {
namespace {

absl::Time TimeOf(const v1::Event& event) { return control::FromTimestamp(event.time()); }

absl::Duration LimitOf(const v1::Clarification& asked) {
  return absl::Seconds(asked.time_limit().seconds()) +
         absl::Nanoseconds(asked.time_limit().nanos());
}

// Events of which the fold has the last one; "": it has none of them.
std::string SlotOf(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return "progress";
    case v1::Event::kModelResult:
      return absl::StrCat("result ", event.model_result().model_name());
    case v1::Event::kClarification:
      return absl::StrCat("question ", event.clarification().clarification_id());
    case v1::Event::kCompleted:
      return "completed";
    case v1::Event::kError:
      return event.error().final() ? "error" : "";
    default:
      return "";
  }
}

// Whether the newer event makes the older one superfluous for one who is behind.
bool Supersedes(const v1::Event& newer, const v1::Event& older) {
  if (older.has_progress()) {
    return newer.has_progress() && older.progress().status() != v1::SESSION_STATUS_EXPIRED;
  }
  return older.has_model_result() && newer.has_model_result() &&
         older.model_result().status() == v1::MODEL_RESULT_STATUS_PROCESSING &&
         older.model_result().model_name() == newer.model_result().model_name();
}

}  // namespace

bool IsTerminal(const v1::Event& event) {
  return event.has_completed() || (event.has_error() && event.error().final()) ||
         (event.has_progress() && event.progress().status() == v1::SESSION_STATUS_EXPIRED);
}

v1::Position NaiveLife::TopPosition() const {
  v1::Position position;
  position.set_epoch(epoch);
  position.set_sequence(top());
  return position;
}

bool NaiveLife::Ended() const { return !events.empty() && IsTerminal(events.back().event); }

bool NaiveLife::KeepsKey(const std::string& key) const {
  for (uint64_t sequence = first; sequence <= top(); ++sequence) {
    if (!key.empty() && At(sequence).key == key) return true;
  }
  return false;
}

bool NaiveLife::HasKey(const std::string& key) const {
  return !key.empty() && std::any_of(events.begin(), events.end(),
                                     [&key](const NaiveEvent& event) { return event.key == key; });
}

std::vector<uint64_t> NaiveLife::Fold(uint64_t through) const {
  std::map<std::string, uint64_t> slots;
  for (uint64_t sequence = 1; sequence <= through; ++sequence) {
    const std::string slot = SlotOf(At(sequence).event);
    if (!slot.empty()) slots[slot] = sequence;
  }
  std::vector<uint64_t> sequences;
  for (const auto& [slot, sequence] : slots) sequences.push_back(sequence);
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

bool NaiveLife::IsSuperseded(uint64_t sequence, uint64_t through) const {
  for (uint64_t newer = sequence + 1; newer <= through; ++newer) {
    if (Supersedes(At(newer).event, At(sequence).event)) return true;
  }
  return false;
}

std::map<std::string, uint64_t> NaiveLife::Clarifications(uint64_t through) const {
  std::map<std::string, uint64_t> last;
  for (uint64_t sequence = 1; sequence <= through; ++sequence) {
    const v1::Event& event = At(sequence).event;
    if (event.has_clarification()) last[event.clarification().clarification_id()] = sequence;
  }
  return last;
}

size_t NaiveLife::OpenWithLimit(uint64_t through) const {
  size_t open = 0;
  for (const auto& [id, sequence] : Clarifications(through)) {
    const v1::Clarification& last = At(sequence).event.clarification();
    open += last.status() == v1::CLARIFICATION_STATUS_PENDING && last.has_time_limit() ? 1 : 0;
  }
  return open;
}

const NaiveLife& NaiveLog::Current(const std::string& session_id) const {
  static const NaiveLife none;
  const auto found = lives_.find(session_id);
  return found == lives_.end() ? none : found->second.back();
}

const NaiveEvent* NaiveLog::Find(const std::string& session_id,
                                 const v1::Position& position) const {
  const auto found = lives_.find(session_id);
  if (found == lives_.end()) return nullptr;
  for (const NaiveLife& life : found->second) {
    if (life.epoch == position.epoch() && position.sequence() >= 1 &&
        position.sequence() <= life.top())
      return &life.At(position.sequence());
  }
  return nullptr;
}

void NaiveLog::Violate(const NaiveLife& life, const std::string& text) {
  violations_.Add(absl::StrCat("stored in session ", life.session_id, ", behind sequence ",
                               life.top(), ": ", text));
}

void NaiveLog::Append(const control::StoreAppend& append, absl::Time now) {
  std::vector<NaiveLife>& lives = lives_[append.session_id];
  if (lives.empty()) lives.emplace_back();
  NaiveLife& life = lives.back();
  life.session_id = append.session_id;
  if (append.removes_session) {
    Remove(life, now);
    lives.emplace_back();
    return;
  }
  const uint64_t before = life.top();
  for (const control::StoredEventPtr& event : append.events) {
    AppendEvent(life, *event, before, now);
  }
  const control::Position& named = append.session.position;
  if (named.epoch() != life.epoch || named.sequence() != life.top())
    Violate(life, absl::StrCat("the session names ", named.sequence(), " as its top"));
  CheckKept(life, append);
}

void NaiveLog::Remove(const NaiveLife& life, absl::Time now) {
  if (!life.Ended()) return Violate(life, "deleted, and it has not ended");
  if (now < TimeOf(life.events.back().event) + absl::Milliseconds(options_.ended_kept_ms))
    Violate(life, "deleted too soon after its end");
}

void NaiveLog::AppendEvent(NaiveLife& life, const control::StoredEvent& stored, uint64_t before,
                           absl::Time now) {
  const v1::Event event = control::EventOf(stored);
  CheckPlace(life, stored, now);
  if (life.Ended()) Violate(life, "an event behind the session's end");
  if (life.KeepsKey(stored.idempotency_key))
    Violate(life, absl::StrCat("the key ", stored.idempotency_key, " a second time"));
  if (event.session_id() != life.session_id) Violate(life, "an event of another session");
  if (event.has_clarification()) CheckClarification(life, event);
  if (IsTerminal(event)) CheckEnd(life, event, before);
  if (life.events.empty()) life.epoch = stored.epoch;
  life.events.push_back({event, stored.idempotency_key});
}

void NaiveLog::CheckPlace(const NaiveLife& life, const control::StoredEvent& stored,
                          absl::Time now) {
  const bool is_first = life.events.empty();
  if (is_first && !epochs_.insert(stored.epoch).second) Violate(life, "an epoch of another life");
  if (!is_first && stored.epoch != life.epoch) Violate(life, "an event of another epoch");
  if (stored.sequence != life.top() + 1)
    Violate(life, absl::StrCat("an event with the sequence ", stored.sequence));
  const absl::Time last = is_first ? absl::InfinitePast() : TimeOf(life.events.back().event);
  if (stored.time < last) Violate(life, "an event older than the one before it");
  if (stored.time > std::max(last, now)) Violate(life, "an event of the future");
}

void NaiveLog::CheckClarification(const NaiveLife& life, const v1::Event& event) {
  const v1::Clarification& clarification = event.clarification();
  const std::string what = absl::StrCat("clarification ", clarification.clarification_id(), ": ");
  const std::map<std::string, uint64_t> all = life.Clarifications(life.top());
  const auto known = all.find(clarification.clarification_id());
  if (clarification.status() == v1::CLARIFICATION_STATUS_PENDING) {
    if (known != all.end()) Violate(life, what + "asked twice");
    return;
  }
  if (known == all.end()) return Violate(life, what + "ended, and nobody had asked it");
  const v1::Event& asked = life.At(known->second).event;
  if (asked.clarification().status() != v1::CLARIFICATION_STATUS_PENDING)
    return Violate(life, what + "ended twice");
  if (asked.clarification().question() != clarification.question())
    Violate(life, what + "ended with another question");
  if (clarification.status() != v1::CLARIFICATION_STATUS_EXPIRED) return;
  if (!asked.clarification().has_time_limit()) return Violate(life, what + "has no limit");
  if (TimeOf(event) < TimeOf(asked) + LimitOf(asked.clarification()))
    Violate(life, what + "expired before its limit");
  if (asked.clarification().default_response() != clarification.response())
    Violate(life, what + "expired, and its answer is not the default");
}

void NaiveLog::CheckEnd(const NaiveLife& life, const v1::Event& event, uint64_t before) {
  for (const auto& [id, sequence] : life.Clarifications(life.top())) {
    const v1::ClarificationStatus status = life.At(sequence).event.clarification().status();
    if (status == v1::CLARIFICATION_STATUS_PENDING)
      Violate(life, absl::StrCat("the session ends, and clarification ", id, " stays open"));
  }
  if (!event.has_progress()) return;
  if (before == 0) return Violate(life, "a session expires that has no events");
  const absl::Time last = TimeOf(life.At(before).event);
  if (TimeOf(event) < last + absl::Milliseconds(options_.time_to_live_ms))
    Violate(life, "the session expires before its time");
  if (life.OpenWithLimit(before) > 0)
    Violate(life, "the session expires, and a clarification awaits its limit");
}

void NaiveLog::CheckKept(NaiveLife& life, const control::StoreAppend& append) {
  const uint64_t first = append.session.first_sequence;
  const uint64_t kept = life.top() - first + 1;
  const uint64_t most = options_.kept.events_max;
  if (first < life.first) Violate(life, "what had left the history is kept again");
  if (kept > std::max<uint64_t>(most, append.events.size()))
    Violate(life, absl::StrCat(kept, " events kept"));
  if (first > life.first) {
    if (kept + std::max<uint64_t>(most / 8, 1) < most)
      Violate(life, absl::StrCat("only ", kept, " events kept"));
    std::vector<uint64_t> fold;
    if (append.session.fold.has_value()) {
      for (const control::StoredEventPtr& entry : append.session.fold->entries)
        fold.push_back(entry->sequence);
    }
    const std::vector<uint64_t> expected = life.Fold(life.top());
    if (fold != expected) {
      Violate(life, absl::StrCat("trimmed to ", first, " with the fold ", absl::StrJoin(fold, " "),
                                 ", which is ", absl::StrJoin(expected, " ")));
    }
  }
  life.first = first;
}

}  // namespace sessioncast::test
