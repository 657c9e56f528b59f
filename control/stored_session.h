// What is stored of a session beside its events.
#pragma once

#include <cstdint>
#include <optional>

#include "control/fold.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::control {

struct StoredSession {
  // As of its last event. Position {"", 0}: there is no such session.
  v1::SessionSummary summary;
  // The events from here on are kept.
  uint64_t first_sequence = 1;
  // There once the history was trimmed: all that the events that are kept do not say.
  std::optional<FoldState> fold;
};

}  // namespace sessioncast::control
