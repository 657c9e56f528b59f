// What the sessions should be: plain lists of the durable events, looked through from the beginning
// each time. Holds each thing that the store is given to the rules of the log.
//
// Single-threaded. Knows the rules from GUARANTEES and the proto's text, and nothing of control's
// history, fold or retention.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "control/history.h"
#include "control/store.h"
#include "sessioncast/v1/event.pb.h"

namespace sessioncast::test {

// The first thing that went wrong counts.
class Violations {
 public:
  void Add(std::string text) {
    if (first_.empty()) first_ = std::move(text);
  }
  bool any() const { return !first_.empty(); }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

struct NaiveEvent {
  v1::Event event;
  std::string key;
};

// One epoch of a session.
struct NaiveLife {
  uint64_t top() const { return events.size(); }
  const NaiveEvent& At(uint64_t sequence) const { return events[sequence - 1]; }
  v1::Position TopPosition() const;
  bool Ended() const;
  bool KeepsKey(const std::string& key) const;
  // Whether an event, kept or not, has it.
  bool HasKey(const std::string& key) const;
  // The sequences that the fold of events 1 to `through` has.
  std::vector<uint64_t> Fold(uint64_t through) const;
  // The last event up to `through` of each clarification, by its id.
  std::map<std::string, uint64_t> Clarifications(uint64_t through) const;
  // Whether a newer event, up to `through`, makes it superfluous for one who is behind.
  bool IsSuperseded(uint64_t sequence, uint64_t through) const;
  // Those that are open, and have a limit of their own.
  size_t OpenWithLimit(uint64_t through) const;

  std::string session_id;
  std::string epoch;
  std::vector<NaiveEvent> events;  // from sequence 1; none ever leaves
  uint64_t first = 1;              // kept from here on
};

bool IsTerminal(const v1::Event& event);

class NaiveLog {
 public:
  NaiveLog(control::HistoryOptions options, Violations& violations)
      : options_(options), violations_(violations) {}

  // It is durable from now on.
  void Append(const control::StoreAppend& append, absl::Time now);

  // What is durable in it showed late, after a full disk: until the broker has loaded it again, it
  // speaks for what it knew before.
  void ShowsLate(const std::string& session_id) { late_.insert(session_id); }
  void Loaded(const std::string& session_id) { late_.erase(session_id); }
  void BrokerIsNew() { late_.clear(); }
  bool BrokerIsBehind(const std::string& session_id) const { return late_.count(session_id) > 0; }

  // The life that the session is in; one without events if there is none.
  const NaiveLife& Current(const std::string& session_id) const;
  // Of any life; null: nothing durable has this position.
  const NaiveEvent* Find(const std::string& session_id, const v1::Position& position) const;
  const std::map<std::string, std::vector<NaiveLife>>& lives() const { return lives_; }

 private:
  void Remove(const NaiveLife& life, absl::Time now);
  void AppendEvent(NaiveLife& life, const control::StoredEvent& stored, uint64_t before,
                   absl::Time now);
  void CheckPlace(const NaiveLife& life, const control::StoredEvent& stored, absl::Time now);
  void CheckClarification(const NaiveLife& life, const v1::Event& event);
  // Of an event that ends the session, in an append behind `before`.
  void CheckEnd(const NaiveLife& life, const v1::Event& event, uint64_t before);
  void CheckKept(NaiveLife& life, const control::StoreAppend& append);
  void Violate(const NaiveLife& life, const std::string& text);

  const control::HistoryOptions options_;
  Violations& violations_;
  std::map<std::string, std::vector<NaiveLife>> lives_;  // by session; the last is the current one
  std::set<std::string> epochs_;
  std::set<std::string> late_;
};

}  // namespace sessioncast::test
