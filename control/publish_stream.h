// One PublishEvents call: events in, outcomes out in the same order.
//
// Threads: gRPC's and the broker's. Bounded: past bytes_max of unanswered events the stream is not
// read. It ends itself, once the broker has answered everything.
//
// Within a session nothing behind an event with an unknown outcome, or one that has a key and was
// refused for now (RESOURCE_EXHAUSTED), is accepted until that event comes again under its
// idempotency key: a publisher's order in the log is the order in which it sent.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/broker.h"
#include "control/long_calls.h"
#include "control/write_pacer.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

struct PublishStreamOptions {
  size_t bytes_max = 4 * 1024 * 1024;
  size_t message_events_max = 10'000;
};

class PublishStream
    : public grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse>,
      public LongCall,
      public std::enable_shared_from_this<PublishStream> {
 public:
  static PublishStream* Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                              grpc::CallbackServerContext& context, WritePacer& pacer,
                              PublishStreamOptions options);

 private:
  // An event that has not been answered to the publisher.
  struct Entry {
    uint64_t number;
    std::string session_id;
    std::string idempotency_key;
    size_t bytes;
    bool known = false;
    v1::PublishOutcome outcome;
  };
  // A session with an event that is to come again, from that one on until it does.
  struct Stop {
    std::string idempotency_key;
    uint64_t from;
    uint64_t until = std::numeric_limits<uint64_t>::max();
  };
  // A session's events that are with the broker.
  struct InOrder {
    std::shared_ptr<PublishOrder> order;
    size_t unknown = 0;
  };

  PublishStream(Broker& broker, Caller caller, grpc::CallbackServerContext& context,
                WritePacer& pacer, PublishStreamOptions options)
      : broker_(broker),
        caller_(std::move(caller)),
        context_(context),
        options_(options),
        pace_(pacer) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void EndWith(absl::Status status) override;

  // Hands a message's events to the broker, those that follow each other in one session together.
  void Accept(v1::PublishEventsRequest& message);
  // Events that follow each other in one session, and go to the broker together.
  struct Run {
    uint64_t first;  // of these: its number
    std::vector<Publication> publications;
    std::shared_ptr<PublishOrder> order;
  };
  // From `at`, which it moves behind what it took. Empty: that one has its outcome already.
  Run TakeRun(v1::PublishEventsRequest& message, int& at) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the event may go to the broker; it lets a stopped session go on if it is the one waited
  // for.
  bool MayPass(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the broker is to have it.
  bool Add(const v1::PublishEventRequest& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of the entries from `first` on.
  void Known(uint64_t first, const Broker::Outcomes& outcomes) ABSL_LOCKS_EXCLUDED(mutex_);
  // The event goes to the broker behind those of its session; it begins a new order if the session
  // was stopped and goes on with it.
  void JoinOrder(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeaveOrder(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An event's outcome stops its session, is behind a stop, or ends one.
  void StopOrGoOn(Entry& entry, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteDue() ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what is known at the front, reads on when there is room, finishes when there is nothing
  // more to come.
  void GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Unless a write was begun less than an interval ago: then it does later.
  void WriteOutcomes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Broker& broker_;
  const Caller caller_;
  grpc::CallbackServerContext& context_;
  const PublishStreamOptions options_;
  v1::PublishEventsRequest request_;    // gRPC's while reading_
  v1::PublishEventsResponse response_;  // gRPC's while writing_
  absl::Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Stop> stops_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, InOrder> orders_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t unknown_ ABSL_GUARDED_BY(mutex_) = 0;
  WritePace pace_ ABSL_GUARDED_BY(mutex_);
  bool accepting_ ABSL_GUARDED_BY(mutex_) =
      false;  // between a message's arrival and its last event
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;   // nothing more is read
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // nothing more can be written
  // What a read that is under way still brings is not taken.
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LongCalls::Membership> membership_;
  std::shared_ptr<PublishStream> self_;  // until OnDone
};

}  // namespace sessioncast::control
