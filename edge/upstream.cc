#include "edge/upstream.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "edge/attach_stream.h"
#include "grpcpp/client_context.h"
#include "sessioncast/v1/edge_service.grpc.pb.h"
#include "sessioncast/v1/session_service.grpc.pb.h"
#include "spdlog/spdlog.h"

namespace sessioncast::edge {

// The calls that are with gRPC now, so that Stop can cancel them and wait until gRPC has let go.
class Upstream::Calls {
 public:
  explicit Calls(const std::shared_ptr<grpc::Channel>& channel)
      : edge_(v1::EdgeService::NewStub(channel)), sessions_(v1::SessionService::NewStub(channel)) {}

  v1::EdgeService::Stub& edge() { return *edge_; }
  v1::SessionService::Stub& sessions() { return *sessions_; }

  // False once stopped.
  bool Enter(grpc::ClientContext* context) {
    const absl::MutexLock lock(&mutex_);
    if (stopped_) return false;
    if (context != nullptr) contexts_.insert(context);
    ++entered_;
    return true;
  }
  void Leave(grpc::ClientContext* context) {
    const absl::MutexLock lock(&mutex_);
    contexts_.erase(context);
    --entered_;
  }
  void CancelAll() {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }
  void AwaitEmpty() {
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Calls* calls)
             ABSL_EXCLUSIVE_LOCKS_REQUIRED(calls->mutex_) { return calls->entered_ == 0; },
        this));
  }

 private:
  const std::unique_ptr<v1::EdgeService::Stub> edge_;
  const std::unique_ptr<v1::SessionService::Stub> sessions_;
  absl::Mutex mutex_;
  std::unordered_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  size_t entered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

namespace {

// One unary call: what gRPC needs until it answers.
template <typename Request, typename Response>
struct Call {
  explicit Call(std::chrono::milliseconds timeout) {
    // The monotonic clock: a jump of the wall clock is no timeout.
    context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                      gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
  }
  grpc::ClientContext context;
  Request request;
  Response response;
};

// The ErrorDetail in a status's details: google.rpc.Status holding an Any. Only what we need of the
// two is read.
v1::ErrorDetail DetailOf(const grpc::Status& status);

}  // namespace

Upstream::Upstream(Options options, engineio::IoThread& thread,
                   std::shared_ptr<grpc::Channel> channel, AttachmentChanged changed)
    : options_(std::move(options)),
      thread_(thread),
      calls_(std::make_shared<Calls>(channel)),
      changed_(std::move(changed)),
      hub_(options_.hub, MakeUpward()),
      backoff_(options_.backoff_min),
      jitter_(std::random_device{}()) {}

Upstream::~Upstream() = default;

Hub::Upward Upstream::MakeUpward() {
  return {
      .begin =
          [this](uint32_t interest_id, const std::string& session_id) {
            if (stream_ != nullptr) stream_->Begin(interest_id, session_id);
          },
      .end =
          [this](uint32_t interest_id) {
            if (stream_ != nullptr) stream_->End(interest_id);
          },
      .read =
          [this](ReadRequest request) {
            reads_waiting_.push_back(std::move(request));
            SendReads();
          },
  };
}

void Upstream::Start() { OpenStream(); }

void Upstream::Stop() {
  calls_->CancelAll();
  absl::Notification cancelled;
  thread_.Post([this, &cancelled] {
    stopping_ = true;
    reopen_.Cancel();
    retry_.Cancel();
    if (stream_ != nullptr) stream_->Cancel();
    cancelled.Notify();
  });
  cancelled.WaitForNotification();
  calls_->AwaitEmpty();
}

void Upstream::OpenStream() {
  if (!calls_->Enter(nullptr)) return;
  AttachStream::Events events{
      .ready = [this] { StreamReady(); },
      .received =
          [this](const v1::AttachResponse& response) {
            hub_.Received(response);
            if (stream_ != nullptr) stream_->Next();
          },
      .ended = [this](const std::string& why) { StreamEnded(why); },
  };
  stream_ = AttachStream::Open(calls_->edge(), thread_, std::move(events),
                               [calls = calls_] { calls->Leave(nullptr); });
}

void Upstream::StreamReady() {
  attached_ = true;
  refusal_.clear();
  backoff_ = options_.backoff_min;
  hub_.Attached();
  changed_(true);
}

void Upstream::StreamEnded(const std::string& why) {
  stream_.reset();
  if (std::exchange(attached_, false)) {
    if (!stopping_) {
      spdlog::warn("control is away ({}); sockets stay, and go on from where they are", why);
    }
    hub_.Detached();
    changed_(false);
  } else if (!stopping_ && why != refusal_) {
    spdlog::warn("control does not let this edge attach: {}", why);
    refusal_ = why;
  }
  for (const ReadRequest& request : std::exchange(reads_waiting_, {})) {
    hub_.PageArrived(request.read_id, Page{});
  }
  if (stopping_) return;
  std::uniform_int_distribution<int64_t> delay(backoff_.count() / 2, backoff_.count());
  reopen_ = thread_.After(std::chrono::milliseconds(delay(jitter_)), [this] { OpenStream(); });
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
}

void Upstream::SendReads() {
  while (reads_in_flight_ < options_.reads_in_flight_max && !reads_waiting_.empty()) {
    ReadRequest request = std::move(reads_waiting_.front());
    reads_waiting_.pop_front();
    SendRead(std::move(request));
  }
}

void Upstream::SendRead(ReadRequest request) {
  auto call =
      std::make_shared<Call<v1::ReadEventsRequest, v1::ReadEventsResponse>>(options_.call_timeout);
  if (!calls_->Enter(&call->context)) return;
  ++reads_in_flight_;
  call->request.set_session_id(request.session_id);
  call->request.set_conflated(request.conflated);
  call->request.set_page_bytes_max(request.page_bytes_max);
  const Position& position = request.from.position;
  if (request.from.kind == Place::Kind::kAfter) {
    call->request.mutable_after()->set_epoch(position.epoch);
    call->request.mutable_after()->set_sequence(position.sequence);
  } else {
    v1::FoldRequest& fold = *call->request.mutable_fold();
    fold.set_after_sequence(position.sequence);
    if (request.fold_through > 0) {
      fold.mutable_through()->set_epoch(position.epoch);
      fold.mutable_through()->set_sequence(request.fold_through);
    }
  }
  // There is always a fold: whoever says otherwise would be asked for it again and again at once.
  const bool begins_fold = request.from.kind == Place::Kind::kFold && position.sequence == 0;
  calls_->edge().async()->ReadEvents(
      &call->context, &call->request, &call->response,
      [this, call, calls = calls_, read_id = request.read_id,
       begins_fold](const grpc::Status& status) {
        thread_.Post([this, call, read_id, begins_fold, ok = status.ok()] {
          --reads_in_flight_;
          Page page;
          v1::ReadEventsResponse& response = call->response;
          if (ok && response.outcome() == v1::ReadEventsResponse::OUTCOME_PAGE) {
            page.outcome = Page::Outcome::kPage;
          } else if (ok && !begins_fold &&
                     response.outcome() == v1::ReadEventsResponse::OUTCOME_OUT_OF_RANGE) {
            page.outcome = Page::Outcome::kOutOfRange;
          }
          page.top = {response.top().epoch(), response.top().sequence()};
          page.through = response.through_sequence();
          page.events.assign(std::make_move_iterator(response.mutable_events()->begin()),
                             std::make_move_iterator(response.mutable_events()->end()));
          hub_.PageArrived(read_id, page);
          if (page.outcome == Page::Outcome::kUnavailable) RetryLater();
          SendReads();
        });
        calls->Leave(&call->context);
      });
}

void Upstream::RetryLater() {
  if (stopping_ || retry_.pending()) return;
  std::uniform_int_distribution<int64_t> delay(options_.backoff_min.count(),
                                               2 * options_.backoff_min.count());
  retry_ = thread_.After(std::chrono::milliseconds(delay(jitter_)), [this] { hub_.Retry(); });
}

void Upstream::Answer(const std::string& session_id, const std::string& clarification_id,
                      const std::string& response, std::function<void(AnswerOutcome)> done) {
  using AnswerCall = Call<v1::AnswerClarificationRequest, v1::AnswerClarificationResponse>;
  auto call = std::make_shared<AnswerCall>(options_.call_timeout);
  if (!attached_ || !calls_->Enter(&call->context)) {
    return done(
        {.kind = AnswerOutcome::Kind::kUnavailable, .message = "control is away", .winner = {}});
  }
  call->request.set_session_id(session_id);
  call->request.set_clarification_id(clarification_id);
  call->request.set_response(response);
  calls_->sessions().async()->AnswerClarification(
      &call->context, &call->request, &call->response,
      [this, call, calls = calls_, done = std::move(done)](const grpc::Status& status) {
        AnswerOutcome outcome;
        outcome.message = status.error_message();
        switch (status.error_code()) {
          case grpc::StatusCode::OK:
            outcome.kind = AnswerOutcome::Kind::kAccepted;
            break;
          case grpc::StatusCode::NOT_FOUND:
            outcome.kind = AnswerOutcome::Kind::kNotFound;
            break;
          case grpc::StatusCode::ALREADY_EXISTS:
            outcome.kind = AnswerOutcome::Kind::kEnded;
            outcome.winner = DetailOf(status).winner();
            break;
          case grpc::StatusCode::INVALID_ARGUMENT:
            outcome.kind = AnswerOutcome::Kind::kInvalid;
            break;
          default:
            outcome.kind = AnswerOutcome::Kind::kUnavailable;
        }
        thread_.Post([done, outcome] { done(outcome); });
        calls->Leave(&call->context);
      });
}

template <typename Response, typename Request, typename Send>
void Upstream::Ask(Request request, Send send,
                   std::function<void(absl::StatusOr<Response>)> done) {
  auto call = std::make_shared<Call<Request, Response>>(options_.call_timeout);
  if (!attached_ || !calls_->Enter(&call->context)) {
    return done(absl::UnavailableError("control is away"));
  }
  call->request = std::move(request);
  send(*calls_->sessions().async(), &call->context, &call->request, &call->response,
       [this, call, calls = calls_, done = std::move(done)](const grpc::Status& status) {
         thread_.Post([call, done, status] {
           if (status.ok()) return done(std::move(call->response));
           done(absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                             status.error_message()));
         });
         calls->Leave(&call->context);
       });
}

void Upstream::GetSession(const std::string& session_id,
                          std::function<void(absl::StatusOr<v1::Snapshot>)> done) {
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  Ask<v1::GetSessionResponse>(
      std::move(request),
      [](auto& sessions, auto... call) { sessions.GetSession(std::move(call)...); },
      [done = std::move(done)](absl::StatusOr<v1::GetSessionResponse> response) {
        if (!response.ok()) return done(response.status());
        done(std::move(*response->mutable_snapshot()));
      });
}

void Upstream::ListSessions(v1::ListSessionsRequest request,
                            std::function<void(absl::StatusOr<v1::ListSessionsResponse>)> done) {
  Ask<v1::ListSessionsResponse>(
      std::move(request),
      [](auto& sessions, auto... call) { sessions.ListSessions(std::move(call)...); },
      std::move(done));
}

namespace {

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::ErrorDetail detail;
  v1::StatusDetails details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& any : details.details()) {
      if (any.UnpackTo(&detail)) break;
    }
  }
  return detail;
}

}  // namespace

}  // namespace sessioncast::edge
