// One session's log: sequence, heads, the recent events, idempotency keys, the fold, and what is
// removed of it.
//
// Pure, not thread-safe: no I/O, no clock, no lock; the broker calls it under its shard's mutex.
//
// Two heads, durable <= assigned. Checks (key, end, a clarification's winner) use the assigned
// head; readers see the durable head only. Each answer, a refusal too, names the sequence that it
// rests on: it may be given once that sequence is durable, and not at all if it is dropped.
// Past its limits the oldest events leave the history with what is appended, in the same batch of
// the store; the fold is stored with it, so that nothing needs them any more.
// Invariants: the window's events are dense and end at the durable head, the pending ones follow it
// up to the assigned head; times do not decrease; a position is assigned in one place (Assign); a
// key is known exactly as long as its event is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "control/deadline.h"
#include "control/event.h"
#include "control/fold.h"
#include "control/pager.h"
#include "control/position.h"
#include "control/retention.h"
#include "control/stored_session.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

struct HistoryOptions {
  RetentionOptions kept;
  // Of what is kept, in memory.
  size_t window_events_max = 10'000;
  size_t window_bytes_max = 16 * 1024 * 1024;
  FoldOptions fold;
  size_t open_clarifications_max = 64;
  // A session that has no event for so long is ended.
  int64_t time_to_live_ms = int64_t{24} * 60 * 60 * 1'000;
  // A session is deleted so long after its end.
  int64_t ended_kept_ms = int64_t{7} * 24 * 60 * 60 * 1'000;
};

// What an append takes from outside: the history itself reads no clock and no randomness.
struct Stamp {
  absl::Time now;
  std::string fresh_epoch;  // becomes the session's with its first event
};

struct Publication {
  v1::Event event;
  std::string idempotency_key;  // "": none
};

struct Answer {
  enum class Outcome { kAppended, kDuplicate, kRefused };
  Outcome outcome = Outcome::kRefused;
  absl::Status refusal;
  // Of the event that was appended, or had been.
  Position position;
  // The answer may be given when this sequence is durable; 0: at once.
  uint64_t rests_on = 0;
  // With a refusal because a clarification has ended: the event that ended it.
  StoredEventPtr winner;
  // To be stored, in one piece: what was appended, behind this position ...
  Position after;
  std::vector<StoredEventPtr> appended;
  std::vector<Deadline> deadlines_set;
  std::vector<Deadline> deadlines_cleared;
  // ... and if older events leave with it, the fold. What is kept is in AssignedSession().
  std::optional<FoldState> fold;
};

// What ends a clarification from outside.
struct ClarificationEnd {
  std::string session_id;
  std::string clarification_id;
  v1::ClarificationStatus status = v1::CLARIFICATION_STATUS_UNSPECIFIED;
  std::optional<std::string> response;
};

// The durable state; its events are handed out as they are stored.
struct SnapshotView {
  v1::SessionSummary summary;
  std::vector<StoredEventPtr> events;
  uint32_t clarifications_left_out = 0;
  uint32_t model_results_left_out = 0;
};

class History {
 public:
  History(std::string session_id, HistoryOptions options);
  History(History&&) = default;
  History& operator=(History&&) = default;

  // Takes back what the store has: the session, then the events that are kept, in order. Before
  // anything else.
  void Restore(const StoredSession& session);
  void Restore(const StoredEventPtr& event);

  // Appends a valid event.
  Answer Append(v1::Event event, std::string idempotency_key, const Stamp& stamp);
  // Appends valid events, each as if it came alone, but that older ones leave with the last. What
  // is appended is to be stored in one piece.
  using Answers = absl::InlinedVector<Answer, 1>;
  Answers AppendAll(std::vector<Publication> publications, const Stamp& stamp);
  // Appends a pending clarification, or finds it (kDuplicate) if it was asked before with the same
  // question.
  Answer Ask(v1::Event event, const Stamp& stamp);
  Answer EndClarification(const ClarificationEnd& end, const Stamp& stamp);

  // What the session itself is due for. Nothing: it has no events.
  enum class Due { kNothing, kLater, kExpiry, kDeletion };
  Due DueAt(absl::Time now) const;
  // The session's own deadline has passed, and it is not due for deletion: it ends, if it is due
  // for that; the deadline moves.
  Answer PassDeadline(const Deadline& passed, const Stamp& stamp);

  // The events up to `through` are stored.
  void Durable(uint64_t through);
  // The events from `first` on are not stored, and will not be.
  void Drop(uint64_t first);

  // Of the last durable event; {"", 0} before the first.
  Position top() const;
  // Whether reading can go on behind it: {"", 0}, or a position of this epoch not above the top,
  // and what follows it is kept.
  bool Has(const Position& position) const;
  // Whether what is behind `after` is in memory.
  bool Holds(uint64_t after) const { return after >= durable_.sequence - window_.size(); }
  // A page of what is behind `after`, which it holds.
  Page Read(uint64_t after, PageLimits limits) const;
  // Whether the session has ended, durably, at its top.
  bool ended() const { return durable_fold_.totals().end_sequence != 0; }
  SnapshotView Snapshot() const;
  const Fold& fold() const { return durable_fold_; }

  // As it will be when all that is assigned is durable; without the fold.
  StoredSession AssignedSession() const;
  uint64_t assigned() const { return assigned_.sequence; }
  uint64_t durable() const { return durable_.sequence; }

  // Leaves nothing of the recent events in memory; they are read from the store then.
  void ForgetWindow();
  // What it costs in memory, about.
  size_t bytes_held() const;

 private:
  // The session after an event.
  struct Head {
    uint64_t sequence = 0;
    absl::Time time;
    // The first event that is kept.
    uint64_t first = 1;
  };
  struct Pending {
    StoredEventPtr event;
    Head head;
  };
  struct KnownKey {
    std::string key;
    uint64_t sequence;
    uint64_t payload_hash;
  };

  Answer Judge(v1::Event event, std::string idempotency_key, const Stamp& stamp);
  Answer BeginAppend() const;
  // The one place where an event gets its position.
  void Assign(v1::Event event, std::string idempotency_key, uint64_t payload_hash,
              const Stamp& stamp, Answer& answer);
  void CancelOpenClarifications(const Stamp& stamp, Answer& answer);
  // When to look at the session next; not later than it will be due, whatever happens to it.
  Deadline NextDeadline(absl::Time now) const;
  // Whether a clarification is open whose own limit ends it.
  bool AwaitsAnswer() const;
  absl::Duration time_to_live() const { return absl::Milliseconds(options_.time_to_live_ms); }
  absl::Duration ended_kept() const { return absl::Milliseconds(options_.ended_kept_ms); }
  // After the last event of an append, which began behind `after`: of what was there before it,
  // what is over the limits leaves with it.
  void EndAppend(uint64_t after, const Stamp& stamp, Answer& answer);
  std::optional<Answer> FindKey(const std::string& idempotency_key, uint64_t payload_hash) const;
  std::optional<Answer> RefuseClarification(const v1::Event& event) const;
  Answer Refuse(absl::Status status, uint64_t rests_on) const;
  Position PositionOf(uint64_t sequence) const;
  StoredSession SessionAt(const Head& head, const FoldTotals& totals) const;
  void RememberKey(const StoredEvent& event);
  void ForgetKeysFrom(uint64_t sequence);
  void ForgetKeysBefore(uint64_t sequence);
  void AddToWindow(const StoredEventPtr& event);
  void TrimWindow();

  std::string session_id_;
  HistoryOptions options_;
  std::string epoch_;
  absl::Time create_time_;
  Head assigned_;
  Head durable_;
  // Lists where an idle session has nothing: an empty deque takes 576 bytes.
  std::deque<StoredEventPtr> window_;  // durable
  std::list<Pending> pending_;         // assigned, not durable
  size_t window_bytes_ = 0;
  Retention retention_;  // from durable_.first to assigned_.sequence
  Fold durable_fold_;
  Fold assigned_fold_;
  std::list<KnownKey> key_order_;                          // by sequence
  std::unordered_map<std::string, const KnownKey*> keys_;  // the last of each
  size_t key_bytes_ = 0;
};

}  // namespace sessioncast::control
