// Where the logs are durable: the interface.
//
// Synchronous and blocking: called by the broker's own threads only (the commit queue's writer, the
// worker pool, the deadlines' thread), each method by several threads at once, but Commit by one at
// a time. Compare-and-append: an append succeeds only behind exactly the session's top, so that one
// (epoch, sequence) never names two events, also with two writers. An append is stored whole or not
// at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "control/deadline.h"
#include "control/event.h"
#include "control/position.h"
#include "control/stored_session.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

// The appends that rest on one state of a session, as it was loaded, each behind the one before.
// Once one of them is not stored, or nobody knows, none behind it is, also if the top is where it
// expects it: that is another event then, which an append of unknown outcome has left. Touched by
// who commits.
struct AppendChain {
  bool broken = false;
};

// Events of one session in a piece, with all that is to be stored in the same batch.
struct StoreAppend {
  std::string session_id;
  // The top that it is for.
  Position after;
  // Dense, of one epoch; the first follows `after`.
  std::vector<StoredEventPtr> events;
  // The session after it. Kept events below its first are removed; it has a fold then, and that one
  // replaces what is stored.
  StoredSession session;
  // The session is removed instead, with all its events and its fold. It has no events then.
  bool removes_session = false;
  std::vector<Deadline> deadlines_set;
  std::vector<Deadline> deadlines_cleared;
  // Null: it stands alone.
  std::shared_ptr<AppendChain> chain;
};
using StoreAppendPtr = std::shared_ptr<const StoreAppend>;

// It was not stored, or nobody knows.
void BreakChain(const StoreAppend& append);

// ABORTED unless `top`, {"", 0} without a session, is the one that the append is for, and its chain
// is whole; breaks it.
absl::Status CheckBehind(const StoreAppend& append, const Position& top);

// What a caller is told when the store could not read: DATA_LOSS stays, since trying again is of no
// use; everything else is UNAVAILABLE.
absl::Status ReadError(const absl::Status& status);

struct AppendOutcome {
  // OK: durable. ABORTED: not stored, since the top is another. Others: unknown.
  absl::Status status;
  // With ABORTED: the true top; {"", 0}: there is no such session.
  Position top;
};

// Events of one session with after < sequence <= through.
struct StoreRange {
  std::string session_id;
  std::string epoch;
  uint64_t after = 0;
  uint64_t through = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // One batch, one sync. An outcome for each append, in order; a session's appends see those before
  // them.
  virtual std::vector<AppendOutcome> Commit(absl::Span<const StoreAppendPtr> group) = 0;

  // Whether it takes appends at present, from any thread, without blocking. RESOURCE_EXHAUSTED: not
  // until there is room; what is asked to be appended is to be refused before it has a position.
  virtual absl::Status CheckWritable() const = 0;

  // Another one once the logs came back short while it ran: what was loaded before is not true any
  // more. From any thread, without blocking.
  virtual uint64_t generation() const { return 0; }

  // The session, with its fold if there is one, then every kept event, in order. Nothing for a
  // session that does not exist. DATA_LOSS if anything is damaged or missing.
  virtual absl::Status Load(const std::string& session_id,
                            absl::FunctionRef<void(const StoredSession&)> session,
                            absl::FunctionRef<void(const StoredEventPtr&)> each) = 0;

  // Events of the range in order, until there are no more or `each` returns false. OUT_OF_RANGE if
  // the session has another epoch, or the first of the range is not kept any more: never a part of
  // what was asked for behind a hole. DATA_LOSS if an event is damaged or missing.
  virtual absl::Status ReadRange(const StoreRange& range,
                                 absl::FunctionRef<bool(const StoredEventPtr&)> each) = 0;

  // Sessions in order of their ids, those behind `after_session_id`.
  virtual absl::StatusOr<std::vector<v1::SessionSummary>> ListSessions(
      const std::string& after_session_id, size_t sessions_max) = 0;

  // Deadlines up to `until`, the earliest first.
  virtual absl::StatusOr<std::vector<Deadline>> DueDeadlines(absl::Time until,
                                                             size_t deadlines_max) = 0;
};

}  // namespace sessioncast::control
