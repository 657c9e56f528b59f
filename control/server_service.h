// sessioncast.v1.ServerService: what this control is.
//
// Threads: gRPC's.
#pragma once

#include "absl/time/time.h"
#include "control/access.h"
#include "sessioncast/v1/server_service.grpc.pb.h"

namespace sessioncast::control {

class ServerService : public v1::ServerService::CallbackService {
 public:
  ServerService(Access& access, v1::ServerLimits limits);

  grpc::ServerUnaryReactor* GetServer(grpc::CallbackServerContext* context,
                                      const v1::GetServerRequest* request,
                                      v1::GetServerResponse* response) override;

 private:
  Access& access_;
  const v1::ServerLimits limits_;
  const absl::Time start_time_;
};

}  // namespace sessioncast::control
