#include "control/grpc_status.h"

#include <optional>
#include <string>

#include "control/access.h"
#include "control/error_detail.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {
namespace {

constexpr char kPushback[] = "grpc-retry-pushback-ms";

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const std::optional<v1::ErrorDetail> detail = DetailOf(status);
  if (!detail.has_value()) return {code, message};
  v1::StatusDetails rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(message);
  google::protobuf::Any& any = *rpc.add_details();
  any.set_type_url(kErrorDetailType);
  any.set_value(detail->SerializeAsString());
  return {code, message, rpc.SerializeAsString()};
}

grpc::Status ToGrpcStatus(const absl::Status& status, grpc::CallbackServerContext& context) {
  if (absl::IsResourceExhausted(status)) context.AddTrailingMetadata(kPushback, "100");
  if (absl::IsUnauthenticated(status) && status == TokenExpired())
    context.AddTrailingMetadata(kPushback, "0");
  return ToGrpcStatus(status);
}

}  // namespace sessioncast::control
