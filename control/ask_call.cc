#include "control/ask_call.h"

#include <utility>

#include "control/grpc_status.h"
#include "control/random.h"

namespace sessioncast::control {

grpc::ServerUnaryReactor* AskCall::Start(Broker& broker, LongCalls& long_calls,
                                         const Caller& caller,
                                         grpc::CallbackServerContext& context,
                                         const v1::AskClarificationRequest& request,
                                         v1::AskClarificationResponse& response) {
  std::shared_ptr<AskCall> call(new AskCall(broker, context, request, response));
  call->self_ = call;
  call->Ask(request);
  call->membership_ = long_calls.Add(call, caller);
  return call.get();
}

AskCall::AskCall(Broker& broker, grpc::CallbackServerContext& context,
                 const v1::AskClarificationRequest& request, v1::AskClarificationResponse& response)
    : broker_(broker),
      context_(context),
      response_(response),
      session_id_(request.session_id()),
      clarification_id_(request.clarification_id().empty() ? FreshUuid()
                                                           : request.clarification_id()) {}

void AskCall::Ask(const v1::AskClarificationRequest& request) {
  v1::Event event;
  event.set_session_id(session_id_);
  v1::Clarification& clarification = *event.mutable_clarification();
  clarification.set_clarification_id(clarification_id_);
  clarification.set_question(request.question());
  clarification.set_status(v1::CLARIFICATION_STATUS_PENDING);
  if (request.has_time_limit()) *clarification.mutable_time_limit() = request.time_limit();
  if (request.has_default_response())
    clarification.set_default_response(request.default_response());
  broker_.Ask(std::move(event), [self = shared_from_this()](absl::StatusOr<Published> asked) {
    if (!asked.ok()) return self->FinishOnce(asked.status());
    self->WaitForEnd();
  });
}

void AskCall::WaitForEnd() {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    subscription_ = broker_.Subscribe(session_id_, [weak = weak_from_this()] {
      if (const std::shared_ptr<AskCall> self = weak.lock()) {
        if (self->gate_.Enter()) self->Look();
      }
    });
  }
  if (gate_.Enter()) Look();
}

void AskCall::Look() {
  broker_.FindClarification(session_id_, clarification_id_,
                            [self = shared_from_this()](absl::StatusOr<StoredEventPtr> last) {
                              self->Seen(last);
                              if (self->gate_.Leave()) self->Look();
                            });
}

void AskCall::Seen(const absl::StatusOr<StoredEventPtr>& last) {
  if (!last.ok()) return FinishOnce(last.status());
  const v1::Event event = EventOf(**last);
  const v1::Clarification& clarification = event.clarification();
  if (clarification.status() == v1::CLARIFICATION_STATUS_PENDING) return;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    response_.set_clarification_id(clarification_id_);
    response_.set_status(clarification.status());
    if (clarification.has_response()) response_.set_response(clarification.response());
    *response_.mutable_position() = event.position();
  }
  FinishOnce(absl::OkStatus());
}

void AskCall::FinishOnce(const absl::Status& status) {
  std::unique_ptr<Broker::Subscription> subscription;  // ends outside the mutex
  absl::MutexLock lock(&mutex_);
  if (std::exchange(finished_, true)) return;
  subscription = std::move(subscription_);
  Finish(ToGrpcStatus(status, context_));
}

void AskCall::OnCancel() {
  FinishOnce(absl::CancelledError("the caller has left; the question stays"));
}

void AskCall::EndWith(absl::Status status) { FinishOnce(status); }

void AskCall::OnDone() {
  membership_.reset();
  self_.reset();
}

}  // namespace sessioncast::control
