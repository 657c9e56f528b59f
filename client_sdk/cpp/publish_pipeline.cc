#include "client_sdk/cpp/publish_pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/client_callback.h"

namespace sessioncast {

// One PublishEvents call. All but its making and its end is under the pipeline's mutex.
class PublishPipeline::Call
    : public grpc::ClientBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse> {
 public:
  explicit Call(PublishPipeline& pipeline) : pipeline_(pipeline) {}

  void Start() {
    pipeline_.line_.sessions().async()->PublishEvents(&context_, this);
    // For writes from other threads; until the last read.
    AddHold();
    StartRead(&response_);
    WriteMore();
    StartCall();
  }

  void WriteMore() {
    pipeline_.mutex_.AssertHeld();
    if (writing_ || left_ || !reading_) return;
    request_ = pipeline_.TakeMessage();
    if (request_.events().empty()) return;
    writing_ = true;
    StartWrite(&request_);
  }

  // What it still brings is not taken.
  void Leave() {
    if (!std::exchange(left_, true)) context_.TryCancel();
  }

  bool left() const { return left_; }
  bool ended() const { return ended_; }
  const absl::Status& end() const { return end_; }

 private:
  void OnReadDone(bool ok) override {
    {
      const absl::MutexLock lock(&pipeline_.mutex_);
      if (ok && !left_) {
        for (v1::PublishOutcome& outcome : *response_.mutable_outcomes()) {
          if (!pipeline_.Arrived(std::move(outcome))) {
            Leave();
            break;
          }
        }
      }
      if (ok) return StartRead(&response_);
      reading_ = false;
    }
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    const absl::MutexLock lock(&pipeline_.mutex_);
    writing_ = false;
    if (ok) WriteMore();
  }

  void OnDone(const grpc::Status& status) override {
    const absl::MutexLock lock(&pipeline_.mutex_);
    end_ = pipeline_.line_.Ended(context_, status);
    ended_ = true;
  }

  PublishPipeline& pipeline_;
  grpc::ClientContext context_;
  v1::PublishEventsRequest request_;    // gRPC's while writing_
  v1::PublishEventsResponse response_;  // gRPC's while reading_
  bool reading_ = true;
  bool writing_ = false;
  bool left_ = false;
  bool ended_ = false;
  absl::Status end_;
};

PublishPipeline::PublishPipeline(Line& line, const PublisherOptions& options)
    : line_(line), options_(options), backoff_(options.retry), thread_([this] { Run(); }) {}

PublishPipeline::~PublishPipeline() { Close(); }

// ---- callers

bool PublishPipeline::HasRoom(size_t bytes) const {
  return pending_.empty() || (pending_.size() < options_.in_flight_events_max &&
                              bytes_ + bytes <= options_.in_flight_bytes_max);
}

void PublishPipeline::Add(v1::PublishEventRequest request, OnOutcome on_outcome) {
  const size_t bytes = request.ByteSizeLong();
  const absl::MutexLock lock(&mutex_);
  const auto may_go_on = [this, bytes]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closing_ || HasRoom(bytes);
  };
  // Its own thread would wait for itself.
  if (std::this_thread::get_id() != thread_.get_id()) mutex_.Await(absl::Condition(&may_go_on));
  ++added_;
  if (closing_) {
    to_tell_.push_back(
        {absl::FailedPreconditionError("the Publisher is closed"), std::move(on_outcome)});
    return;
  }
  bytes_ += bytes;
  next_moment_moved_ = next_moment_moved_ || pending_.empty();
  pending_.push_back({std::move(request), bytes, Clock::now() + options_.publish_timeout,
                      std::move(on_outcome)});
  if (call_ != nullptr) call_->WriteMore();
}

absl::Status PublishPipeline::Flush() {
  const absl::MutexLock lock(&mutex_);
  const uint64_t until = added_;
  const auto are_told = [this, until]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return told_ >= until;
  };
  mutex_.Await(absl::Condition(&are_told));
  return std::exchange(first_error_, absl::OkStatus());
}

void PublishPipeline::Close() {
  {
    const absl::MutexLock lock(&mutex_);
    if (std::exchange(closing_, true)) return;
  }
  thread_.join();
}

// ---- its thread

void PublishPipeline::Run() {
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      next_moment_moved_ = false;
      mutex_.AwaitWithDeadline(absl::Condition(this, &PublishPipeline::HasWork), NextMoment());
    }
    Tell(TakeStock());
    const absl::MutexLock lock(&mutex_);
    if (!closing_ || !pending_.empty() || !to_tell_.empty()) continue;
    if (call_ == nullptr) return;
    call_->Leave();
  }
}

bool PublishPipeline::HasWork() const {
  if (!to_tell_.empty() || next_moment_moved_) return true;
  if (call_ != nullptr) return call_->ended() || (closing_ && pending_.empty() && !call_->left());
  if (pending_.empty()) return closing_;
  return Clock::now() >= call_again_at_;
}

absl::Time PublishPipeline::NextMoment() const {
  if (pending_.empty() || (call_ != nullptr && call_->left())) return absl::InfiniteFuture();
  Clock::time_point next = pending_.front().give_up;
  if (call_ == nullptr) next = std::min(next, call_again_at_);
  return absl::Now() + absl::FromChrono(next - Clock::now());
}

std::vector<PublishPipeline::Told> PublishPipeline::TakeStock() {
  std::unique_ptr<Call> ended;
  const absl::MutexLock lock(&mutex_);
  if (call_ != nullptr && call_->ended()) {
    CallEnded();
    ended = std::move(call_);
  }
  GiveUpWhatIsLate();
  if (call_ == nullptr && !pending_.empty() && Clock::now() >= call_again_at_) {
    call_has_outcomes_ = false;
    call_ = std::make_unique<Call>(*this);
    call_->Start();
  }
  return std::exchange(to_tell_, {});
}

void PublishPipeline::CallEnded() {
  sent_ = 0;
  const absl::Status& end = call_->end();
  if (!call_->left()) last_failure_ = end;
  const bool is_for_good = !end.ok() && !call_->left() && !MayTryAgain(end);
  while (is_for_good && !pending_.empty()) FrontHas(end);
  if (call_has_outcomes_) backoff_.Reset();
  call_again_at_ = Clock::now() + backoff_.Next(last_failure_);
}

void PublishPipeline::GiveUpWhatIsLate() {
  const Clock::time_point now = Clock::now();
  const auto is_late = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return !pending_.empty() && now >= pending_.front().give_up;
  };
  if (!is_late()) return;
  if (call_ != nullptr && sent_ > 0) {
    if (!call_->left()) {
      last_failure_ = absl::DeadlineExceededError("no outcome came");
    }
    return call_->Leave();  // it ends, and what is left goes over the next one
  }
  while (is_late()) {
    FrontHas(absl::Status(
        last_failure_.ok() ? absl::StatusCode::kDeadlineExceeded : last_failure_.code(),
        absl::StrCat("given up after ", options_.publish_timeout.count(),
                     " ms: ", last_failure_.message())));
  }
}

void PublishPipeline::Tell(std::vector<Told> told) {
  for (const Told& one : told) {
    if (one.on_outcome) one.on_outcome(one.outcome);
  }
  const absl::MutexLock lock(&mutex_);
  told_ += told.size();
  for (const Told& one : told) first_error_.Update(one.outcome.status());
}

// ---- what a call does, under the mutex

void PublishPipeline::FrontHas(Publisher::Outcome outcome) {
  Pending& front = pending_.front();
  bytes_ -= front.bytes;
  to_tell_.push_back({std::move(outcome), std::move(front.on_outcome)});
  pending_.pop_front();
}

v1::PublishEventsRequest PublishPipeline::TakeMessage() {
  v1::PublishEventsRequest message;
  size_t bytes = 0;
  while (sent_ < pending_.size() && bytes < kBytesAMessageMax &&
         static_cast<size_t>(message.events_size()) < kEventsAMessageMax) {
    const Pending& next = pending_[sent_++];
    *message.add_events() = next.request;
    bytes += next.bytes;
  }
  return message;
}

bool PublishPipeline::Arrived(v1::PublishOutcome outcome) {
  if (sent_ == 0) {
    last_failure_ = absl::InternalError("control answered more events than it was sent");
    return false;
  }
  if (outcome.has_refused()) {
    absl::Status refused(static_cast<absl::StatusCode>(outcome.refused().code()),
                         outcome.refused().message());
    if (MayTryAgain(refused)) {
      last_failure_ = std::move(refused);
      return false;
    }
    FrontHas(std::move(refused));
  } else {
    FrontHas(std::move(*outcome.mutable_accepted()));
  }
  --sent_;
  call_has_outcomes_ = true;
  return true;
}

}  // namespace sessioncast
