// One AskClarification call: publishes the question, or finds it, then waits until it has ended.
//
// Threads: gRPC's and the broker's; looks never overlap (WakeGate). It ends itself; leaving it
// never cancels the question.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "control/broker.h"
#include "control/long_calls.h"
#include "control/wake_gate.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

class AskCall : public grpc::ServerUnaryReactor,
                public LongCall,
                public std::enable_shared_from_this<AskCall> {
 public:
  static grpc::ServerUnaryReactor* Start(Broker& broker, LongCalls& long_calls,
                                         const Caller& caller,
                                         grpc::CallbackServerContext& context,
                                         const v1::AskClarificationRequest& request,
                                         v1::AskClarificationResponse& response);

 private:
  AskCall(Broker& broker, grpc::CallbackServerContext& context,
          const v1::AskClarificationRequest& request, v1::AskClarificationResponse& response);

  void OnCancel() override;
  void OnDone() override;
  void EndWith(absl::Status status) override;

  void Ask(const v1::AskClarificationRequest& request);
  void WaitForEnd();
  void Look();
  void Seen(const absl::StatusOr<StoredEventPtr>& last);
  void FinishOnce(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  Broker& broker_;
  grpc::CallbackServerContext& context_;
  v1::AskClarificationResponse& response_;
  const std::string session_id_;
  const std::string clarification_id_;
  WakeGate gate_;
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Broker::Subscription> subscription_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LongCalls::Membership> membership_;
  std::shared_ptr<AskCall> self_;  // until OnDone
};

}  // namespace sessioncast::control
