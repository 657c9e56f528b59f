#include "control/session_stream.h"

#include <utility>

#include "control/error_detail.h"
#include "control/grpc_status.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

absl::Status CallerLeft() { return absl::CancelledError("the caller has left"); }

}  // namespace

SessionStream* SessionStream::Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                                    grpc::CallbackServerContext& context,
                                    const v1::StreamSessionRequest& request,
                                    size_t message_bytes_max) {
  std::shared_ptr<SessionStream> stream(
      new SessionStream(broker, context, request, message_bytes_max));
  stream->self_ = stream;
  stream->Begin();
  stream->membership_ = long_calls.Add(stream, caller);
  return stream.get();
}

SessionStream::SessionStream(Broker& broker, grpc::CallbackServerContext& context,
                             const v1::StreamSessionRequest& request, size_t message_bytes_max)
    : broker_(broker),
      context_(context),
      message_bytes_max_(message_bytes_max),
      session_id_(request.session_id()),
      position_(request.after()) {}

void SessionStream::Begin() {
  if (absl::Status status = CheckId("session_id", session_id_); !status.ok()) {
    absl::MutexLock lock(&mutex_);
    return FinishWith(status);
  }
  // A client that waits for a session learns from the headers that it is heard.
  StartSendInitialMetadata();
  subscription_ = broker_.Subscribe(session_id_, [weak = weak_from_this()] {
    if (const std::shared_ptr<SessionStream> self = weak.lock()) self->Wake();
  });
  Read();
}

void SessionStream::Wake() {
  {
    absl::MutexLock lock(&mutex_);
    woken_ = true;
    if (step_ != Step::kWaiting) return;
    step_ = Step::kReading;
  }
  Read();
}

void SessionStream::Read() {
  ReadRequest request;
  {
    absl::MutexLock lock(&mutex_);
    woken_ = false;
    request = {session_id_, position_, PageLimits{.bytes_max = message_bytes_max_}};
  }
  broker_.Read(std::move(request),
               [self = shared_from_this()](absl::StatusOr<ReadPage> page) { self->OnPage(page); });
}

void SessionStream::OnPage(const absl::StatusOr<ReadPage>& page) {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return FinishWith(*end_);
    if (!page.ok()) return FinishWith(page.status());
    if (page->outcome == ReadPage::Outcome::kOutOfRange) return FinishWith(OutOfRange(page->top));
    if (!page->events.empty()) {
      message_.Clear();
      for (const StoredEventPtr& event : page->events) *message_.add_events() = EventOf(*event);
      position_ = page->top;
      position_.set_sequence(page->through);
      step_ = Step::kWriting;
      return StartWrite(&message_);
    }
    if (page->ended) return FinishWith(absl::OkStatus());
    if (!woken_) {
      step_ = Step::kWaiting;
      return;
    }
  }
  Read();
}

void SessionStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return FinishWith(*end_);
    if (!ok) return FinishWith(CallerLeft());
    step_ = Step::kReading;
  }
  Read();
}

void SessionStream::OnCancel() { EndWith(CallerLeft()); }

void SessionStream::EndWith(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  end_ = std::move(status);
  if (step_ == Step::kWaiting) FinishWith(*end_);
}

void SessionStream::FinishWith(const absl::Status& status) {
  if (std::exchange(step_, Step::kFinished) != Step::kFinished)
    Finish(ToGrpcStatus(status, context_));
}

void SessionStream::OnDone() {
  membership_.reset();
  subscription_.reset();
  self_.reset();
}

}  // namespace sessioncast::control
