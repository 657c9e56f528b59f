#include "sessioncast/client.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "client_sdk/cpp/line.h"
#include "grpcpp/grpcpp.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast {
namespace {

void SetTimeout(grpc::ClientContext& context, std::chrono::milliseconds timeout) {
  // The monotonic clock: a jump of the wall clock is no timeout.
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                    gpr_time_from_millis(timeout.count(), GPR_TIMESPAN)));
}

}  // namespace

Client::Client(ClientOptions options)
    : options_(std::move(options)),
      line_(std::make_shared<Line>(options_.control, options_.credentials)) {}
Client::Client(ClientOptions options, std::shared_ptr<Line> line)
    : options_(std::move(options)), line_(std::move(line)) {}
Client::~Client() = default;

absl::StatusOr<v1::PublishEventResponse> Client::Publish(const v1::Event& event,
                                                         const std::string& idempotency_key) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::PublishEventRequest request;
  *request.mutable_event() = event;
  request.set_idempotency_key(idempotency_key);
  v1::PublishEventResponse response;
  const grpc::Status status = line_->sessions().PublishEvent(&context, request, &response);
  if (!status.ok()) return line_->Ended(context, status);
  return response;
}

absl::Status Client::PublishMany(const std::vector<v1::PublishEventRequest>& events,
                                 std::vector<v1::PublishOutcome>& outcomes) {
  grpc::ClientContext context;
  const auto stream = line_->sessions().PublishEvents(&context);
  std::thread writer([&] {
    v1::PublishEventsRequest message;
    size_t bytes = 0;
    for (const v1::PublishEventRequest& event : events) {
      *message.add_events() = event;
      bytes += event.ByteSizeLong();
      if (static_cast<size_t>(message.events_size()) < kEventsAMessageMax && bytes < kBytesAMessageMax) {
        continue;
      }
      if (!stream->Write(message)) return;
      message.Clear();
      bytes = 0;
    }
    if (message.events_size() > 0 && !stream->Write(message)) return;
    stream->WritesDone();
  });
  v1::PublishEventsResponse response;
  while (stream->Read(&response)) {
    outcomes.insert(outcomes.end(), std::make_move_iterator(response.mutable_outcomes()->begin()),
                    std::make_move_iterator(response.mutable_outcomes()->end()));
  }
  writer.join();
  const absl::Status status = line_->Ended(context, stream->Finish());
  if (status.ok() && outcomes.size() < events.size()) {
    return absl::UnavailableError("the stream ended before all events were answered");
  }
  return status;
}

absl::Status Client::Stream(const std::string& session_id, const std::optional<v1::Position>& after,
                            const std::function<bool(const v1::Event&)>& on_event) {
  grpc::ClientContext context;
  v1::StreamSessionRequest request;
  request.set_session_id(session_id);
  if (after.has_value()) *request.mutable_after() = *after;
  const auto stream = line_->sessions().StreamSession(&context, request);
  v1::StreamSessionResponse response;
  while (stream->Read(&response)) {
    const auto& events = response.events();
    if (std::all_of(events.begin(), events.end(), on_event)) continue;
    context.TryCancel();
    while (stream->Read(&response)) {
    }
    stream->Finish();
    return absl::OkStatus();
  }
  return line_->Ended(context, stream->Finish());
}

absl::StatusOr<v1::Snapshot> Client::GetSession(const std::string& session_id) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  v1::GetSessionResponse response;
  const grpc::Status status = line_->sessions().GetSession(&context, request, &response);
  if (!status.ok()) return line_->Ended(context, status);
  return std::move(*response.mutable_snapshot());
}

absl::StatusOr<v1::ListSessionsResponse> Client::ListSessions(int page_size,
                                                              const std::string& page_token) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::ListSessionsRequest request;
  request.set_page_size(page_size);
  request.set_page_token(page_token);
  v1::ListSessionsResponse response;
  const grpc::Status status = line_->sessions().ListSessions(&context, request, &response);
  if (!status.ok()) return line_->Ended(context, status);
  return response;
}

absl::StatusOr<v1::AskClarificationResponse> Client::Ask(
    const v1::AskClarificationRequest& request) {
  grpc::ClientContext context;
  v1::AskClarificationResponse response;
  const grpc::Status status = line_->sessions().AskClarification(&context, request, &response);
  if (!status.ok()) return line_->Ended(context, status);
  return response;
}

absl::StatusOr<v1::Position> Client::Answer(const std::string& session_id,
                                            const std::string& clarification_id,
                                            const std::string& response) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::AnswerClarificationRequest request;
  request.set_session_id(session_id);
  request.set_clarification_id(clarification_id);
  request.set_response(response);
  v1::AnswerClarificationResponse answered;
  const grpc::Status status = line_->sessions().AnswerClarification(&context, request, &answered);
  if (!status.ok()) return line_->Ended(context, status);
  return answered.position();
}

absl::StatusOr<v1::Position> Client::Cancel(const std::string& session_id,
                                            const std::string& clarification_id) {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::CancelClarificationRequest request;
  request.set_session_id(session_id);
  request.set_clarification_id(clarification_id);
  v1::CancelClarificationResponse cancelled;
  const grpc::Status status = line_->sessions().CancelClarification(&context, request, &cancelled);
  if (!status.ok()) return line_->Ended(context, status);
  return cancelled.position();
}

absl::Status Client::CheckHealth() {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status =
      line_->health().Check(&context, grpc::health::v1::HealthCheckRequest(), &response);
  if (!status.ok()) return line_->Ended(context, status);
  using Answer = grpc::health::v1::HealthCheckResponse;
  if (response.status() == Answer::SERVING) return absl::OkStatus();
  return absl::UnavailableError("control says " + Answer::ServingStatus_Name(response.status()));
}

absl::StatusOr<v1::Server> Client::GetServer() {
  grpc::ClientContext context;
  SetTimeout(context, options_.call_timeout);
  v1::GetServerResponse response;
  const grpc::Status status =
      line_->server().GetServer(&context, v1::GetServerRequest(), &response);
  if (!status.ok()) return line_->Ended(context, status);
  return std::move(*response.mutable_server());
}

}  // namespace sessioncast
