// sessioncast.v1.EdgeService: Attach and ReadEvents, around the broker.
//
// Threads: gRPC's. A call's reactor ends itself; all calls have ended before the service goes.
#pragma once

#include "control/access.h"
#include "control/attach_stream.h"
#include "control/broker.h"
#include "sessioncast/v1/edge_service.grpc.pb.h"

namespace sessioncast::control {

class EdgeService : public v1::EdgeService::CallbackService {
 public:
  EdgeService(Broker& broker, Access& access, WritePacer& pacer, AttachStreamOptions options)
      : broker_(broker), access_(access), pacer_(pacer), options_(options) {}

  grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* Attach(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ReadEvents(grpc::CallbackServerContext* context,
                                       const v1::ReadEventsRequest* request,
                                       v1::ReadEventsResponse* response) override;

  // Ends the Attach streams, also those to come.
  void Drain() { long_calls_.Drain(); }

 private:
  Broker& broker_;
  Access& access_;
  WritePacer& pacer_;
  const AttachStreamOptions options_;
  LongCalls long_calls_;
};

}  // namespace sessioncast::control
