#include "control/server_service.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "control/event.h"
#include "control/refusal.h"
#include "tools/daemon/version.h"

namespace sessioncast::control {

ServerService::ServerService(Access& access, v1::ServerLimits limits)
    : access_(access), limits_(std::move(limits)), start_time_(absl::Now()) {}

grpc::ServerUnaryReactor* ServerService::GetServer(grpc::CallbackServerContext* context,
                                                   const v1::GetServerRequest* request,
                                                   v1::GetServerResponse* response) {
  const absl::StatusOr<Caller> caller = access_.Check(*context, Method::kGetServer);
  if (!caller.ok()) return Refuse(*context, caller.status());
  v1::Server& server = *response->mutable_server();
  server.set_version(std::string(daemon::Version()));
  *server.mutable_start_time() = ToTimestamp(start_time_);
  *server.mutable_time() = ToTimestamp(absl::Now());
  *server.mutable_limits() = limits_;
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace sessioncast::control
