// What an error says beyond its message, carried in the status from where it is known to the
// service.
//
// Pure; any thread.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

// The type under which ErrorDetail travels, in a status' payload and in google.rpc.Status.
inline constexpr char kErrorDetailType[] = "type.googleapis.com/sessioncast.v1.ErrorDetail";

absl::Status WithDetail(absl::Status status, const v1::ErrorDetail& detail);
std::optional<v1::ErrorDetail> DetailOf(const absl::Status& status);

// OUT_OF_RANGE with the position from which reading can go on.
absl::Status OutOfRange(const v1::Position& snapshot_position);

}  // namespace sessioncast::control
