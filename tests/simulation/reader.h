// Somebody who follows a session as an edge does: subscribes, reads behind its own position, goes
// on live, and comes back with its position; and what everything it is shown must be.
//
// Single-threaded. What it sees is held to the naive log at the moment at which it sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "control/broker.h"
#include "tests/simulation/naive_log.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

class Reader {
 public:
  Reader(Scheduler& scheduler, const NaiveLog& log, Violations& violations, std::string session_id,
         control::Reading reading)
      : scheduler_(scheduler),
        log_(log),
        violations_(violations),
        session_id_(std::move(session_id)),
        reading_(reading) {}

  // Does the next thing, if there is something for it to do.
  void Act(control::Broker& broker);
  // Its connection is gone; it knows its position.
  void Disconnect();
  // Asks for the snapshot, or one clarification, and holds the answer to the log.
  void LookAround(control::Broker& broker);

  uint64_t seen() const { return seen_; }
  // Once all is quiet.
  void CheckAtTop() const;

 private:
  enum class Step { kAway, kLive, kReading, kFold };
  // Shared with what the broker calls back, which may come after a disconnect.
  struct Ear {
    bool woken = false;
    Reader* reader = nullptr;
  };

  template <typename T>
  control::Broker::Done<T> Then(void (Reader::*step)(const absl::StatusOr<T>&));
  void Next();
  void OnPage(const absl::StatusOr<control::ReadPage>& page);
  void OnFold(const absl::StatusOr<control::ReadPage>& page);
  void CheckPage(const control::ReadPage& page, const NaiveLife& life);
  // A piece of a fold.
  void CheckFold(const control::ReadPage& page);
  void ReadFold(control::Broker& broker);
  void LookForClarification(control::Broker& broker);
  void CheckSnapshot(const absl::StatusOr<control::SnapshotView>& snapshot);
  // That there is nothing, to one who had seen it in this epoch.
  void CheckNotFound(const std::string& what, const std::string& epoch_then);
  void MoveTo(const v1::Position& top, uint64_t sequence);
  // One event, which follows what it has.
  void See(const control::StoredEvent& event);
  void CheckEvent(const control::StoredEvent& event);
  const NaiveLife* LifeOf(const std::string& epoch) const;
  void Violate(const std::string& text) const;

  Scheduler& scheduler_;
  const NaiveLog& log_;
  Violations& violations_;
  const std::string session_id_;
  const control::Reading reading_;
  Step step_ = Step::kAway;
  std::shared_ptr<Ear> ear_;
  std::unique_ptr<control::Broker::Subscription> subscription_;
  v1::Position position_;
  bool wants_fold_ = false;
  // Of the fold that it reads: how far it has come, and the top that all pieces are of.
  uint64_t fold_after_ = 0;
  std::optional<v1::Position> fold_through_;
  // It is behind, until it comes to here.
  std::optional<v1::Position> behind_;
  uint64_t seen_ = 0;
};

}  // namespace sessioncast::test
