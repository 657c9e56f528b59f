// sessioncast.v1.SessionService: proto in, status out, around the broker.
//
// Threads: gRPC's. A call's reactor ends itself; all calls have ended before the service goes.
#pragma once

#include <cstddef>

#include "control/access.h"
#include "control/broker.h"
#include "control/long_calls.h"
#include "control/write_pacer.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast::control {

struct SessionServiceOptions {
  // Events of one PublishEvents stream that are not answered yet; past it the stream is not read.
  size_t publish_stream_bytes_max = 4 * 1024 * 1024;
  size_t publish_message_events_max = 10'000;
  // Events in one StreamSession message; one event always fits.
  size_t stream_message_bytes_max = 256 * 1024;
};

class SessionService : public v1::SessionService::CallbackService {
 public:
  SessionService(Broker& broker, Access& access, WritePacer& pacer, SessionServiceOptions options)
      : broker_(broker), access_(access), pacer_(pacer), options_(options) {}

  grpc::ServerUnaryReactor* PublishEvent(grpc::CallbackServerContext* context,
                                         const v1::PublishEventRequest* request,
                                         v1::PublishEventResponse* response) override;
  grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse>* PublishEvents(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::StreamSessionResponse>* StreamSession(
      grpc::CallbackServerContext* context, const v1::StreamSessionRequest* request) override;
  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context,
                                       const v1::GetSessionRequest* request,
                                       v1::GetSessionResponse* response) override;
  grpc::ServerUnaryReactor* ListSessions(grpc::CallbackServerContext* context,
                                         const v1::ListSessionsRequest* request,
                                         v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* AskClarification(grpc::CallbackServerContext* context,
                                             const v1::AskClarificationRequest* request,
                                             v1::AskClarificationResponse* response) override;
  grpc::ServerUnaryReactor* AnswerClarification(grpc::CallbackServerContext* context,
                                                const v1::AnswerClarificationRequest* request,
                                                v1::AnswerClarificationResponse* response) override;
  grpc::ServerUnaryReactor* CancelClarification(grpc::CallbackServerContext* context,
                                                const v1::CancelClarificationRequest* request,
                                                v1::CancelClarificationResponse* response) override;

  // Ends the calls that do not end by themselves, also those to come.
  void Drain() { long_calls_.Drain(); }

 private:
  Broker& broker_;
  Access& access_;
  WritePacer& pacer_;
  const SessionServiceOptions options_;
  LongCalls long_calls_;
};

}  // namespace sessioncast::control
