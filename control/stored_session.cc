#include "control/stored_session.h"

namespace sessioncast::control {

v1::SessionSummary SummaryOf(const std::string& session_id, const StoredSession& session) {
  v1::SessionSummary summary;
  summary.set_session_id(session_id);
  summary.set_status(session.status);
  *summary.mutable_position() = session.position;
  *summary.mutable_create_time() = ToTimestamp(session.create_time);
  *summary.mutable_update_time() = ToTimestamp(session.update_time);
  return summary;
}

}  // namespace sessioncast::control
