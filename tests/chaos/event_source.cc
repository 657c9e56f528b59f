#include "tests/chaos/event_source.h"

#include <array>

namespace sessioncast::chaos {
namespace {

constexpr std::array kWords = {"job",   "page", "naïve", "\"quoted\"", "back\\slash", "line\nbreak",
                               "größe", "漢字", "мир",   "🚀",          "Ω≈ç√",        "x"};
constexpr std::array kModels = {"llama3.1:8b", "mistral:7b", "qwen2:7b"};
constexpr std::array kNames = {"token", "note"};
constexpr size_t kShortBytes = 60;  // what a fold keeps stays small: a fold is one page
constexpr size_t kMiddleBytes = 600;
constexpr size_t kLongBytes = 6'000;

google::protobuf::Struct WithText(const std::string& text) {
  google::protobuf::Struct object;
  (*object.mutable_fields())["text"].set_string_value(text);
  return object;
}

v1::Event EventOf(const std::string& session_id) {
  v1::Event event;
  event.set_session_id(session_id);
  return event;
}

}  // namespace

std::string EventSource::Text(size_t bytes_max) {
  std::string text = name_ + ":" + std::to_string(++texts_);
  const size_t bytes = Below(bytes_max);
  while (text.size() < bytes) text.append(" ").append(kWords[Below(kWords.size())]);
  return text;
}

v1::Event EventSource::DrawProgress(const std::string& session_id) {
  v1::Event event = EventOf(session_id);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
  event.mutable_progress()->set_percent(static_cast<double>(Below(101)));
  *event.mutable_progress()->mutable_result() = WithText(Text(kMiddleBytes));
  return event;
}

v1::Event EventSource::ModelResult(const std::string& session_id) {
  v1::Event event = EventOf(session_id);
  v1::ModelResult& result = *event.mutable_model_result();
  result.set_model_name(kModels[Below(kModels.size())]);
  if (Below(3) == 0) result.set_run_id("second");
  result.set_result(Text(kMiddleBytes));
  result.set_duration_ms(Below(10'000));
  const uint64_t chance = Below(10);
  result.set_status(chance < 7   ? v1::MODEL_RESULT_STATUS_PROCESSING
                    : chance < 9 ? v1::MODEL_RESULT_STATUS_COMPLETED
                                 : v1::MODEL_RESULT_STATUS_FAILED);
  if (result.status() == v1::MODEL_RESULT_STATUS_FAILED) result.set_error("out of memory");
  return event;
}

v1::Event EventSource::Draw(const std::string& session_id) {
  const uint64_t chance = Below(100);
  if (chance < 30) return DrawProgress(session_id);
  if (chance < 65) return ModelResult(session_id);
  v1::Event event = EventOf(session_id);
  if (chance < 92) {
    event.mutable_custom()->set_name(kNames[Below(kNames.size())]);
    *event.mutable_custom()->mutable_data() =
        WithText(Text(chance < 68 ? kLongBytes : kShortBytes));
  } else if (chance < 97) {
    event.mutable_error()->set_message(Text(kShortBytes));
  } else {
    v1::Clarification& question = *event.mutable_clarification();
    question.set_status(v1::CLARIFICATION_STATUS_PENDING);
    question.set_question(Text(kShortBytes));
    question.set_clarification_id(name_ + "-" + std::to_string(texts_));
  }
  return event;
}

v1::Event EventSource::DrawInvalid(const std::string& session_id) {
  v1::Event event = DrawProgress(session_id);
  event.mutable_progress()->set_percent(101);
  return event;
}

v1::Event EventSource::DrawCompleted(const std::string& session_id) {
  v1::Event event = EventOf(session_id);
  *event.mutable_completed()->mutable_result() = WithText(Text(kMiddleBytes));
  return event;
}

v1::Event EventSource::DrawAnswer(const v1::Event& question) {
  v1::Event event = question;
  event.mutable_clarification()->set_status(v1::CLARIFICATION_STATUS_ANSWERED);
  event.mutable_clarification()->set_response(Text(kShortBytes));
  return event;
}

}  // namespace sessioncast::chaos
