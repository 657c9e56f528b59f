// The end of a call at its beginning.
//
// Threads: gRPC's.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "control/grpc_status.h"

namespace sessioncast::control {

// In place of a stream's reactor. It ends itself.
template <typename Reactor>
class RefusedStream : public Reactor {
 public:
  explicit RefusedStream(const absl::Status& status) { this->Finish(ToGrpcStatus(status)); }

 private:
  void OnDone() override { delete this; }
};

inline grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context,
                                        const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace sessioncast::control
