// The fold: the state of one session made from its events 1..N.
//
// Pure, not thread-safe: no I/O, no clock, no lock. Bounded in entries and bytes: past a bound
// closed clarifications leave first, then the oldest model results, each counted. Open
// clarifications are bounded by who appends. What is kept of an event is its fold option, and
// nothing else. Its state can be stored, and goes on from there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/event.h"

namespace sessioncast::control {

struct FoldOptions {
  size_t entries_max = 1'000;
  size_t bytes_max = 3 * 1024 * 1024;
};

// What a fold counts, of all events that it was made from.
struct FoldTotals {
  // A result that was pushed out still counts.
  uint32_t results_processing = 0;
  uint32_t results_completed = 0;
  uint32_t results_failed = 0;
  v1::SessionStatus status = v1::SESSION_STATUS_ACTIVE;
  // The sequence of the event that ended the session; 0: it goes on.
  uint64_t end_sequence = 0;
  uint32_t clarifications_left_out = 0;
  uint32_t model_results_left_out = 0;
};

struct FoldState {
  // It is made from events 1 to this one.
  uint64_t through = 0;
  std::vector<StoredEventPtr> entries;  // in order of sequence
  FoldTotals totals;
};

class Fold {
 public:
  explicit Fold(FoldOptions options) : options_(options) {}

  FoldState State() const;
  // Takes back a state. Before anything else.
  void Restore(const FoldState& state);

  // Events come in order of sequence; those that it is made from already change nothing.
  void Apply(const StoredEventPtr& event);

  // What is kept above `after_sequence`, in order of sequence.
  std::vector<StoredEventPtr> Events(uint64_t after_sequence) const;

  // The last event of this clarification; null if there is none, or the bound pushed it out.
  StoredEventPtr Clarification(std::string_view clarification_id) const;
  // Null if there is none.
  StoredEventPtr LastProgress() const;
  // The events that asked what is still open, in order of sequence.
  std::vector<StoredEventPtr> OpenClarifications() const;

  // Of the session so far.
  SessionCounts counts() const;
  const FoldTotals& totals() const { return totals_; }
  size_t bytes() const { return bytes_; }

 private:
  void Keep(const StoredEventPtr& event);
  // An entry comes or goes; its slot is the caller's.
  void Insert(const StoredEventPtr& event);
  StoredEventPtr Remove(uint64_t sequence);
  // An entry goes, and nothing takes its slot.
  void PushOut(uint64_t sequence);
  void CountResult(v1::ModelResultStatus status, int change);
  void HoldBounds();
  // The sequences of the entries of this entry's group; null: never pushed out.
  std::set<uint64_t>* GroupOf(const StoredEvent& event);

  FoldOptions options_;
  std::map<uint64_t, StoredEventPtr> entries_;
  std::unordered_map<std::string, uint64_t> slots_;
  std::set<uint64_t> open_clarifications_;
  std::set<uint64_t> closed_clarifications_;
  std::set<uint64_t> results_;
  size_t bytes_ = 0;
  uint64_t through_ = 0;
  FoldTotals totals_;
};

}  // namespace sessioncast::control
