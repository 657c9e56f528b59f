// Events for control's tests.
#pragma once

#include <cstdint>
#include <string>

#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::test {

v1::Event ProgressEvent(const std::string& session_id, double percent);
v1::Event ResultEvent(const std::string& session_id, const std::string& model,
                      v1::ModelResultStatus status, const std::string& result);
v1::Event QuestionEvent(const std::string& session_id, const std::string& clarification_id);
v1::Event CustomEvent(const std::string& session_id, const std::string& text);
v1::Event CompletedEvent(const std::string& session_id);
v1::Event FinalErrorEvent(const std::string& session_id);

v1::Position PositionAt(const std::string& epoch, uint64_t sequence);

v1::PublishEventRequest PublishRequest(v1::Event event, const std::string& idempotency_key = "");

}  // namespace sessioncast::test
