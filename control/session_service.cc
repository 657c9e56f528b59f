#include "control/session_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/ask_call.h"
#include "control/grpc_status.h"
#include "control/publish_stream.h"
#include "control/refusal.h"
#include "control/session_stream.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

constexpr int kSessionsPerPageDefault = 100;
constexpr int kSessionsPerPageMax = 1'000;

// A unary call's end: answers with the position of what was published.
template <typename Response>
Broker::Done<Published> AnswerWith(grpc::CallbackServerContext* context,
                                   grpc::ServerUnaryReactor* reactor, Response* response) {
  return [context, reactor, response](absl::StatusOr<Published> published) {
    if (published.ok()) *response->mutable_position() = published->position;
    reactor->Finish(ToGrpcStatus(published.status(), *context));
  };
}

void Fill(const SnapshotView& view, v1::Snapshot& snapshot) {
  snapshot.set_session_id(view.summary.session_id());
  *snapshot.mutable_position() = view.summary.position();
  snapshot.set_status(view.summary.status());
  *snapshot.mutable_create_time() = view.summary.create_time();
  *snapshot.mutable_update_time() = view.summary.update_time();
  for (const StoredEventPtr& event : view.events) *snapshot.add_events() = EventOf(*event);
  snapshot.set_clarifications_left_out(view.clarifications_left_out);
  snapshot.set_model_results_left_out(view.model_results_left_out);
}

absl::Status CheckListRequest(const v1::ListSessionsRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kSessionsPerPageMax) {
    return absl::InvalidArgumentError(absl::StrCat("page_size: must be 0 to ", kSessionsPerPageMax,
                                                   ", is ", request.page_size()));
  }
  return request.page_token().empty() ? absl::OkStatus()
                                      : CheckId("page_token", request.page_token());
}

}  // namespace

grpc::ServerUnaryReactor* SessionService::PublishEvent(grpc::CallbackServerContext* context,
                                                       const v1::PublishEventRequest* request,
                                                       v1::PublishEventResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kPublishEvent, request->event().session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  broker_.Publish(request->event(), request->idempotency_key(),
                  [context, reactor, response](absl::StatusOr<Published> published) {
                    if (published.ok()) {
                      *response->mutable_position() = published->position;
                      response->set_duplicate(published->duplicate);
                    }
                    reactor->Finish(ToGrpcStatus(published.status(), *context));
                  });
  return reactor;
}

grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse>*
SessionService::PublishEvents(grpc::CallbackServerContext* context) {
  const absl::StatusOr<Caller> caller = access_.Check(*context, Method::kPublishEvents);
  if (!caller.ok()) {
    return new RefusedStream<
        grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse>>(
        caller.status());
  }
  return PublishStream::Start(
      broker_, long_calls_, *caller, *context, pacer_,
      {options_.publish_stream_bytes_max, options_.publish_message_events_max});
}

grpc::ServerWriteReactor<v1::StreamSessionResponse>* SessionService::StreamSession(
    grpc::CallbackServerContext* context, const v1::StreamSessionRequest* request) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kStreamSession, request->session_id());
  if (!caller.ok()) {
    return new RefusedStream<grpc::ServerWriteReactor<v1::StreamSessionResponse>>(caller.status());
  }
  return SessionStream::Start(broker_, long_calls_, *caller, *context, *request,
                              options_.stream_message_bytes_max);
}

grpc::ServerUnaryReactor* SessionService::GetSession(grpc::CallbackServerContext* context,
                                                     const v1::GetSessionRequest* request,
                                                     v1::GetSessionResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kGetSession, request->session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  if (absl::Status status = CheckId("session_id", request->session_id()); !status.ok())
    return Refuse(*context, status);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  broker_.GetSnapshot(request->session_id(),
                      [context, reactor, response](absl::StatusOr<SnapshotView> view) {
                        if (view.ok()) Fill(*view, *response->mutable_snapshot());
                        reactor->Finish(ToGrpcStatus(view.status(), *context));
                      });
  return reactor;
}

grpc::ServerUnaryReactor* SessionService::ListSessions(grpc::CallbackServerContext* context,
                                                       const v1::ListSessionsRequest* request,
                                                       v1::ListSessionsResponse* response) {
  const absl::StatusOr<Caller> caller = access_.Check(*context, Method::kListSessions);
  if (!caller.ok()) return Refuse(*context, caller.status());
  if (absl::Status status = caller->MayUseAllSessions(); !status.ok())
    return Refuse(*context, status);
  if (absl::Status status = CheckListRequest(*request); !status.ok())
    return Refuse(*context, status);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const size_t page = request->page_size() == 0 ? kSessionsPerPageDefault : request->page_size();
  // One more than the page says whether there is another one.
  broker_.ListSessions(
      request->page_token(), page + 1,
      [context, reactor, response, page](absl::StatusOr<std::vector<v1::SessionSummary>> sessions) {
        if (sessions.ok()) {
          for (size_t i = 0; i < sessions->size() && i < page; ++i) {
            *response->add_sessions() = std::move((*sessions)[i]);
          }
          if (sessions->size() > page) {
            response->set_next_page_token(response->sessions().rbegin()->session_id());
          }
        }
        reactor->Finish(ToGrpcStatus(sessions.status(), *context));
      });
  return reactor;
}

grpc::ServerUnaryReactor* SessionService::AskClarification(
    grpc::CallbackServerContext* context, const v1::AskClarificationRequest* request,
    v1::AskClarificationResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kAskClarification, request->session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  return AskCall::Start(broker_, long_calls_, *caller, *context, *request, *response);
}

grpc::ServerUnaryReactor* SessionService::AnswerClarification(
    grpc::CallbackServerContext* context, const v1::AnswerClarificationRequest* request,
    v1::AnswerClarificationResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kAnswerClarification, request->session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  broker_.EndClarification({request->session_id(), request->clarification_id(),
                            v1::CLARIFICATION_STATUS_ANSWERED, request->response()},
                           AnswerWith(context, reactor, response));
  return reactor;
}

grpc::ServerUnaryReactor* SessionService::CancelClarification(
    grpc::CallbackServerContext* context, const v1::CancelClarificationRequest* request,
    v1::CancelClarificationResponse* response) {
  const absl::StatusOr<Caller> caller =
      access_.Check(*context, Method::kCancelClarification, request->session_id());
  if (!caller.ok()) return Refuse(*context, caller.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  broker_.EndClarification({request->session_id(), request->clarification_id(),
                            v1::CLARIFICATION_STATUS_CANCELLED, std::nullopt},
                           AnswerWith(context, reactor, response));
  return reactor;
}

}  // namespace sessioncast::control
