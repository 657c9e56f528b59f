// One Attach stream: a set of cursors, filled in turn.
//
// Threads: gRPC's and the broker's. Never a queue: a cursor whose session moved is marked, and read
// from the history when there is room in the stream; one message is in flight at a time. It ends
// itself. Invariants: an interest is in ready_ at most once, and marked so; messages are at most
// message_bytes_max of events, or one event.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/broker.h"
#include "control/long_calls.h"
#include "control/write_pacer.h"
#include "sessioncast/v1/edge_service.pb.h"

namespace sessioncast::control {

struct AttachStreamOptions {
  size_t message_bytes_max = 256 * 1024;
  // What one session may have of a message while others wait.
  size_t turn_bytes_max = 64 * 1024;
  size_t interests_max = 1'000'000;
};

// What the edge is told of an interest's session.
v1::LiveBatch BatchOf(uint32_t interest_id, const LivePage& page);

class AttachStream : public grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>,
                     public LongCall,
                     public std::enable_shared_from_this<AttachStream> {
 public:
  static AttachStream* Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                             grpc::CallbackServerContext& context, WritePacer& pacer,
                             AttachStreamOptions options);

 private:
  struct Interest {
    std::unique_ptr<Broker::Subscription> subscription;
    bool ready = false;
  };

  AttachStream(Broker& broker, grpc::CallbackServerContext& context, WritePacer& pacer,
               AttachStreamOptions options)
      : broker_(broker), context_(context), options_(options), pace_(pacer) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void EndWith(absl::Status status) override;

  absl::Status Apply(const v1::AttachRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Begin(const v1::Interest& interest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake(uint32_t interest_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteDue() ABSL_LOCKS_EXCLUDED(mutex_);
  void MarkReady(uint32_t interest_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes what is new, unless a write is under way, or was begun less than an interval ago: then
  // it does later.
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Each ready interest's turn, until the message is full.
  void Fill(v1::AttachResponse& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishWith(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Broker& broker_;
  grpc::CallbackServerContext& context_;
  const AttachStreamOptions options_;
  v1::AttachRequest request_;    // gRPC's while reading
  v1::AttachResponse response_;  // gRPC's while writing_
  absl::Mutex mutex_;
  std::unordered_map<uint32_t, Interest> interests_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint32_t> ready_ ABSL_GUARDED_BY(mutex_);
  // Was read, but had no room in the message before.
  std::optional<v1::LiveBatch> held_ ABSL_GUARDED_BY(mutex_);
  WritePace pace_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<LongCalls::Membership> membership_;
  std::shared_ptr<AttachStream> self_;  // until OnDone
};

}  // namespace sessioncast::control
