// Events that wait for their outcome, in order, over one PublishEvents call after another.
//
// A call that breaks, or that brings a refusal which is not for good, is left, and all that has no
// outcome goes again over the next one, in order, under the same keys. That is the only way back:
// control stores nothing of a session behind an event that is to come again (PublishEvents in
// session_service.proto), so the order in the log is the order here, and a key stores once.
//
// Threads: any for Add, Flush, Close. Calls to control are made, and outcomes told, on a thread of
// its own; gRPC's threads only move what arrived into place.
// Invariants: pending_ has what has no outcome, in order; the first sent_ of it are with the present
// call. An event leaves pending_ once, with its outcome.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client_sdk/cpp/backoff.h"
#include "client_sdk/cpp/line.h"
#include "sessioncast/publisher.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast {

class PublishPipeline {
 public:
  using OnOutcome = std::function<void(const Publisher::Outcome&)>;

  PublishPipeline(Line& line, const PublisherOptions& options);
  ~PublishPipeline();
  PublishPipeline(const PublishPipeline&) = delete;
  PublishPipeline& operator=(const PublishPipeline&) = delete;

  // Waits for room.
  void Add(v1::PublishEventRequest request, OnOutcome on_outcome);
  // Until what was added before has been told; the first error since the Flush before.
  absl::Status Flush();
  // Until all has been told.
  void Close();

 private:
  using Clock = std::chrono::steady_clock;
  class Call;

  struct Pending {
    v1::PublishEventRequest request;
    size_t bytes;
    Clock::time_point give_up;
    OnOutcome on_outcome;
  };
  struct Told {
    Publisher::Outcome outcome;
    OnOutcome on_outcome;
  };

  bool HasRoom(size_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  // Of the thread.
  void Run();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Time NextMoment() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // What is to be told. Does what is due.
  std::vector<Told> TakeStock() ABSL_LOCKS_EXCLUDED(mutex_);
  void CallEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveUpWhatIsLate() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(std::vector<Told> told) ABSL_LOCKS_EXCLUDED(mutex_);

  // The first of pending_ has its outcome.
  void FrontHas(Publisher::Outcome outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next message of what is not with the call yet; empty: nothing.
  v1::PublishEventsRequest TakeMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: it is to come again.
  bool Arrived(v1::PublishOutcome outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Line& line_;
  const PublisherOptions options_;
  mutable absl::Mutex mutex_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  size_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of pending_
  std::vector<Told> to_tell_ ABSL_GUARDED_BY(mutex_);
  uint64_t added_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status first_error_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Call> call_ ABSL_GUARDED_BY(mutex_);
  bool call_has_outcomes_ ABSL_GUARDED_BY(mutex_) = false;
  Clock::time_point call_again_at_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_failure_ ABSL_GUARDED_BY(mutex_);  // of a call, or why an event is to come again
  bool next_moment_moved_ ABSL_GUARDED_BY(mutex_) = false;  // while the thread waits for it
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sessioncast
