#include "client_sdk/cpp/line.h"

#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "client_sdk/cpp/channel.h"
#include "sessioncast/client.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast {
namespace {

constexpr char kDetailUrl[] = "sessioncast.v1.ErrorDetail";
constexpr char kRetryAfterUrl[] = "sessioncast.RetryAfterMs";
constexpr ChannelLimits kChannelLimits = {
    .message_bytes_max = 16 * 1024 * 1024,  // a snapshot is at most 3 MiB
    .reconnect_backoff_ms_max = 2'000};

absl::Status ToStatus(const grpc::ClientContext& context, const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  const auto& trailers = context.GetServerTrailingMetadata();
  if (const auto found = trailers.find("grpc-retry-pushback-ms"); found != trailers.end()) {
    result.SetPayload(kRetryAfterUrl,
                      absl::Cord(std::string(found->second.data(), found->second.size())));
  }
  v1::StatusDetails details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& any : details.details()) {
    if (any.Is<v1::ErrorDetail>()) result.SetPayload(kDetailUrl, absl::Cord(any.value()));
  }
  return result;
}

}  // namespace

bool IsUnknownOutcome(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

bool MayTryAgain(const absl::Status& status) {
  return IsUnknownOutcome(status) || absl::IsResourceExhausted(status) ||
         (absl::IsUnauthenticated(status) && RetryAfter(status).has_value());
}

v1::ErrorDetail DetailOf(const absl::Status& status) {
  v1::ErrorDetail detail;
  if (const auto payload = status.GetPayload(kDetailUrl); payload.has_value()) {
    detail.ParseFromString(std::string(*payload));
  }
  return detail;
}

std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterUrl);
  int64_t ms = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &ms) || ms < 0) return {};
  return std::chrono::milliseconds(ms);
}

Line::Line(const std::string& control, const Credentials& credentials)
    : channel_(ChannelTo(control, credentials, kChannelLimits)),
      sessions_(v1::SessionService::NewStub(channel_)),
      server_(v1::ServerService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)),
      connect_(channel_) {}

absl::Status Line::Ended(const grpc::ClientContext& context, const grpc::Status& status) {
  absl::Status result = ToStatus(context, status);
  if (IsUnknownOutcome(result)) connect_.Wake();
  return result;
}

}  // namespace sessioncast
