// What is stored of a session beside its events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "control/fold.h"
#include "control/position.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

struct StoredSession {
  // Of its last event. {"", 0}: there is no such session.
  Position position;
  v1::SessionStatus status = v1::SESSION_STATUS_UNSPECIFIED;
  absl::Time create_time;
  absl::Time update_time;
  // The events from here on are kept.
  uint64_t first_sequence = 1;
  // There once the history was trimmed: all that the events that are kept do not say.
  std::optional<FoldState> fold;
};

v1::SessionSummary SummaryOf(const std::string& session_id, const StoredSession& session);

}  // namespace sessioncast::control
