// From our status to gRPC's, at the services' edge.
//
// Any thread.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace sessioncast::control {

// With the ErrorDetail, if there is one, as google.rpc.Status in the details, where grpcurl finds
// it.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The same, and where the caller may try again soon, a trailer that says when: it tells the end of a
// token from one that was refused. Before Finish.
grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext& context);

}  // namespace sessioncast::control
