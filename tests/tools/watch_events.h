// Events of one session, as they come, for the tests of what `sessioncast watch` shows.
#pragma once

#include <cstdint>
#include <string>

#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "sessioncast/v1/event.pb.h"

namespace sessioncast::tool {

// One second apart from 14:03:00 UTC on.
class Happening {
 public:
  v1::Event Next() {
    v1::Event event;
    event.set_session_id("my-session");
    event.mutable_position()->set_epoch("epoch000");
    event.mutable_position()->set_sequence(++sequence_);
    event.mutable_time()->set_seconds(1'795'874'580 + static_cast<int64_t>(sequence_));
    return event;
  }
  v1::Event Progress(double percent, v1::SessionStatus status = v1::SESSION_STATUS_PROCESSING) {
    v1::Event event = Next();
    event.mutable_progress()->set_percent(percent);
    event.mutable_progress()->set_status(status);
    return event;
  }
  v1::Event Model(const std::string& name, v1::ModelResultStatus status, const std::string& text,
                  uint64_t duration_ms = 1'200) {
    v1::Event event = Next();
    v1::ModelResult& result = *event.mutable_model_result();
    result.set_model_name(name);
    result.set_provider("ollama");
    result.set_status(status);
    result.set_duration_ms(duration_ms);
    (status == v1::MODEL_RESULT_STATUS_FAILED ? *result.mutable_error() : *result.mutable_result()) =
        text;
    return event;
  }
  v1::Event Writes(const std::string& name, const std::string& text) {
    return Model(name, v1::MODEL_RESULT_STATUS_PROCESSING, text);
  }
  v1::Event Asks(const std::string& id, const std::string& question) {
    v1::Event event = Next();
    event.mutable_clarification()->set_clarification_id(id);
    event.mutable_clarification()->set_question(question);
    event.mutable_clarification()->set_status(v1::CLARIFICATION_STATUS_PENDING);
    return event;
  }
  v1::Event Answered(const std::string& id, const std::string& question, const std::string& text) {
    v1::Event event = Asks(id, question);
    event.mutable_clarification()->set_status(v1::CLARIFICATION_STATUS_ANSWERED);
    event.mutable_clarification()->set_response(text);
    return event;
  }
  v1::Event Custom(const std::string& name, const std::string& json) {
    v1::Event event = Next();
    event.mutable_custom()->set_name(name);
    Parse(json, *event.mutable_custom()->mutable_data());
    return event;
  }
  v1::Event Completed(const std::string& json) {
    v1::Event event = Next();
    Parse(json, *event.mutable_completed()->mutable_result());
    return event;
  }
  v1::Event Error(const std::string& message) {
    v1::Event event = Next();
    event.mutable_error()->set_message(message);
    return event;
  }
  v1::Event FinalError(const std::string& message) {
    v1::Event event = Error(message);
    event.mutable_error()->set_final(true);
    return event;
  }

 private:
  static void Parse(const std::string& json, google::protobuf::Message& message) {
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &message).ok()) << json;
  }

  uint64_t sequence_ = 0;
};

}  // namespace sessioncast::tool
