// One StreamSession call: reads pages from the broker by its position, and waits at the top.
//
// Threads: gRPC's and the broker's. One step at a time (read, write, wait), so that a slow reader
// holds one message and no queue. It ends itself.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/broker.h"
#include "control/long_calls.h"
#include "control/position.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

class SessionStream : public grpc::ServerWriteReactor<v1::StreamSessionResponse>,
                      public LongCall,
                      public std::enable_shared_from_this<SessionStream> {
 public:
  static SessionStream* Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                              grpc::CallbackServerContext& context,
                              const v1::StreamSessionRequest& request, size_t message_bytes_max);

 private:
  enum class Step { kReading, kWriting, kWaiting, kFinished };

  SessionStream(Broker& broker, grpc::CallbackServerContext& context,
                const v1::StreamSessionRequest& request, size_t message_bytes_max);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  // Ends now if it waits, else with the step that it is in.
  void EndWith(absl::Status status) override ABSL_LOCKS_EXCLUDED(mutex_);

  void Begin();
  void Wake();
  // In step kReading.
  void Read();
  void OnPage(const absl::StatusOr<ReadPage>& page);
  void FinishWith(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Broker& broker_;
  grpc::CallbackServerContext& context_;
  const size_t message_bytes_max_;
  const std::string session_id_;
  absl::Mutex mutex_;
  Step step_ ABSL_GUARDED_BY(mutex_) = Step::kReading;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // set: with this it ends
  Position position_ ABSL_GUARDED_BY(mutex_);
  v1::StreamSessionResponse message_;  // gRPC's in kWriting, else the reader's
  std::unique_ptr<Broker::Subscription> subscription_;
  std::unique_ptr<LongCalls::Membership> membership_;
  std::shared_ptr<SessionStream> self_;  // until OnDone
};

}  // namespace sessioncast::control
