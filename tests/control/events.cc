#include "tests/control/events.h"

#include <utility>

namespace sessioncast::test {
namespace {

v1::Event EventOf(const std::string& session_id) {
  v1::Event event;
  event.set_session_id(session_id);
  return event;
}

}  // namespace

v1::Event ProgressEvent(const std::string& session_id, double percent) {
  v1::Event event = EventOf(session_id);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
  event.mutable_progress()->set_percent(percent);
  return event;
}

v1::Event ResultEvent(const std::string& session_id, const std::string& model,
                      v1::ModelResultStatus status, const std::string& result) {
  v1::Event event = EventOf(session_id);
  event.mutable_model_result()->set_model_name(model);
  event.mutable_model_result()->set_status(status);
  event.mutable_model_result()->set_result(result);
  return event;
}

v1::Event QuestionEvent(const std::string& session_id, const std::string& clarification_id) {
  v1::Event event = EventOf(session_id);
  v1::Clarification& clarification = *event.mutable_clarification();
  clarification.set_clarification_id(clarification_id);
  clarification.set_question("Which one?");
  clarification.set_status(v1::CLARIFICATION_STATUS_PENDING);
  return event;
}

v1::Event CustomEvent(const std::string& session_id, const std::string& text) {
  v1::Event event = EventOf(session_id);
  event.mutable_custom()->set_name("token");
  (*event.mutable_custom()->mutable_data()->mutable_fields())["text"].set_string_value(text);
  return event;
}

v1::Event CompletedEvent(const std::string& session_id) {
  v1::Event event = EventOf(session_id);
  event.mutable_completed();
  return event;
}

v1::Event FinalErrorEvent(const std::string& session_id) {
  v1::Event event = EventOf(session_id);
  event.mutable_error()->set_message("it broke");
  event.mutable_error()->set_final(true);
  return event;
}

v1::Position PositionAt(const std::string& epoch, uint64_t sequence) {
  v1::Position position;
  position.set_epoch(epoch);
  position.set_sequence(sequence);
  return position;
}

v1::PublishEventRequest PublishRequest(v1::Event event, const std::string& idempotency_key) {
  v1::PublishEventRequest request;
  *request.mutable_event() = std::move(event);
  request.set_idempotency_key(idempotency_key);
  return request;
}

}  // namespace sessioncast::test
