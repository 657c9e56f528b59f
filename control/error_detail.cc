#include "control/error_detail.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace sessioncast::control {

absl::Status WithDetail(absl::Status status, const v1::ErrorDetail& detail) {
  status.SetPayload(kErrorDetailType, absl::Cord(detail.SerializeAsString()));
  return status;
}

std::optional<v1::ErrorDetail> DetailOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorDetailType);
  if (!payload.has_value()) return std::nullopt;
  v1::ErrorDetail detail;
  if (!detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

absl::Status OutOfRange(const v1::Position& snapshot_position) {
  v1::ErrorDetail detail;
  *detail.mutable_snapshot_position() = snapshot_position;
  return WithDetail(
      absl::OutOfRangeError(absl::StrCat(
          "after: is not a position of the kept history; the session is at sequence ",
          snapshot_position.sequence(), " of epoch '", snapshot_position.epoch(), "'")),
      detail);
}

}  // namespace sessioncast::control
