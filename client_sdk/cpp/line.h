// A line to control: the channel, the calls, and what keeps it connecting while it is not. Shared by
// all that a user of the SDK makes calls with.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client_sdk/cpp/connect_thread.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "sessioncast/credentials.h"
#include "sessioncast/v1/server_service.grpc.pb.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast {

// Of PublishEvents; its last event may pass the bytes. A message is at most 2 MiB (control's limit),
// an event 1 MiB.
inline constexpr size_t kEventsAMessageMax = 256;
inline constexpr size_t kBytesAMessageMax = 512 * 1024;

class Line {
 public:
  Line(const std::string& control, const Credentials& credentials);

  v1::SessionService::Stub& sessions() { return *sessions_; }
  v1::ServerService::Stub& server() { return *server_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }

  // What a call came to, with all that it says (DetailOf, RetryAfter). Every call's end passes here:
  // see ConnectThread.
  absl::Status Ended(const grpc::ClientContext& context, const grpc::Status& status);

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::SessionService::Stub> sessions_;
  const std::unique_ptr<v1::ServerService::Stub> server_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
  ConnectThread connect_;
};

}  // namespace sessioncast
