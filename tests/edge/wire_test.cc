#include "edge/wire.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sessioncast::edge {
namespace {

using Json = nlohmann::json;

v1::Event MakeEvent() {
  v1::Event event;
  event.set_session_id("session-1");
  event.mutable_position()->set_epoch("k3JxQ0aB");
  event.mutable_position()->set_sequence(7);
  event.mutable_time()->set_seconds(1'795'473'903);
  event.mutable_time()->set_nanos(123'999'999);
  return event;
}

Json Payload(const v1::Event& event) { return Json::parse(ToWire(event)->payload); }

std::set<std::string> Keys(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

// Fills every field of a kind, so that each must appear.
void FillAll(google::protobuf::Message* message) {
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const auto* field = message->GetDescriptor()->field(i);
    switch (field->cpp_type()) {
      case google::protobuf::FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(message, field, "text");
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(message, field, true);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE:
        reflection->SetDouble(message, field, 45.5);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(message, field, 3);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(message, field, 3);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnumValue(message, field, 2);
        break;
      case google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE:
        reflection->MutableMessage(message, field);
        break;
      default:
        FAIL() << field->full_name();
    }
  }
}

TEST(WireTest, EveryKindHasExactlyTheNamesThatTheProtosOptionsGive) {
  const auto* kinds = v1::Event::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    const auto* kind = kinds->field(i);
    v1::Event event = MakeEvent();
    FillAll(event.GetReflection()->MutableMessage(&event, kind));
    std::set<std::string> expected = {"sessionId", "timestamp", "sequence", "epoch"};
    for (int j = 0; j < kind->message_type()->field_count(); ++j) {
      expected.insert(kind->message_type()->field(j)->json_name());
    }
    // How a question was asked is not the browser's; how it ended is said by `outcome`; a custom
    // event's name is the event's.
    if (kind->name() == "clarification") {
      expected.erase("timeLimit");
      expected.erase("defaultResponse");
      expected.insert("outcome");
    }
    if (kind->name() == "custom") expected.erase("name");
    EXPECT_EQ(Keys(Payload(event)), expected) << kind->name();
    EXPECT_EQ(ToWire(event)->name, kind->name() == "custom" ? "text" : kind->name());
  }
}

TEST(WireTest, AProgressIsAsTheContractWritesIt) {
  v1::Event event = MakeEvent();
  v1::Progress& progress = *event.mutable_progress();
  progress.set_status(v1::SESSION_STATUS_PROCESSING);
  progress.set_percent(45);
  progress.mutable_prompts()->set_total(4);
  progress.mutable_prompts()->set_completed(1);
  progress.set_has_clarifications(false);
  progress.set_clarification_count(0);
  EXPECT_EQ(
      ToWire(event)->payload,
      R"({"sessionId":"session-1","status":"PROCESSING","progress":45,"prompts":{"total":4,"completed":1,)"
      R"("processing":0,"pending":0,"failed":0},"hasClarifications":false,"clarificationCount":0,)"
      R"("timestamp":"2026-11-23T22:45:03.123Z","sequence":7,"epoch":"k3JxQ0aB"})");
}

TEST(WireTest, AClarificationThatEndedIsAnsweredWithItsOutcome) {
  v1::Event event = MakeEvent();
  v1::Clarification& clarification = *event.mutable_clarification();
  clarification.set_clarification_id("c1");
  clarification.set_question("Which?");
  clarification.set_status(v1::CLARIFICATION_STATUS_PENDING);
  EXPECT_EQ(Payload(event)["status"], "pending");
  EXPECT_FALSE(Payload(event).contains("outcome"));
  clarification.set_status(v1::CLARIFICATION_STATUS_EXPIRED);
  clarification.set_response("the first");
  EXPECT_EQ(Payload(event)["status"], "answered");
  EXPECT_EQ(Payload(event)["outcome"], "expired");
  EXPECT_EQ(Payload(event)["response"], "the first");
}

TEST(WireTest, EachByteThatJsonEscapesIsFoundWhereverItStands) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (size_t at = 0; at < 20; ++at) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(byte);
      const std::string json = JsonString(text);
      EXPECT_EQ(Json::parse(json), text) << byte << " at " << at;
      const bool is_escaped = byte < 0x20 || byte == '"' || byte == '\\';
      EXPECT_EQ(json == '"' + text + '"', !is_escaped) << byte << " at " << at;
    }
  }
  EXPECT_EQ(JsonString("é\n東京 \"🙂\" \x7f"), "\"é\\n東京 \\\"🙂\\\" \x7f\"");
  EXPECT_EQ(JsonString(""), R"("")");
  EXPECT_EQ(JsonString(R"(""""""""")"), R"("\"\"\"\"\"\"\"\"\"")");
}

TEST(WireTest, TimesAreIsoInUtcWithMilliseconds) {
  const auto text = [](int64_t nanoseconds) {
    return Timestamp(
        Time(std::chrono::duration_cast<Time::duration>(std::chrono::nanoseconds(nanoseconds))));
  };
  EXPECT_EQ(text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(text(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(text(951'827'696'007'999'999), "2000-02-29T12:34:56.007Z");
  EXPECT_EQ(text(1'798'761'599'999'999'999), "2026-12-31T23:59:59.999Z");
  EXPECT_EQ(text(4'107'542'400'000'000'000), "2100-03-01T00:00:00.000Z");
}

TEST(WireTest, ResultsKeepTheirShapeAndNumbersAreJavaScripts) {
  v1::Event event = MakeEvent();
  auto& fields = *event.mutable_completed()->mutable_result()->mutable_fields();
  fields["integer"].set_number_value(1e6);
  fields["large"].set_number_value(1e21);
  fields["small"].set_number_value(1.5e-9);
  fields["fraction"].set_number_value(0.1);
  fields["negative"].set_number_value(-0.0);
  fields["text"].set_string_value("a \"b\"\n\\ \x1e é");
  fields["none"].set_null_value(google::protobuf::NULL_VALUE);
  fields["list"].mutable_list_value()->add_values()->set_bool_value(true);
  fields["object"].mutable_struct_value();
  const Json result = Payload(event)["result"];
  EXPECT_EQ(result["integer"].dump(), "1000000");
  EXPECT_EQ(result["large"], 1e21);
  EXPECT_EQ(result["small"], 1.5e-9);
  EXPECT_EQ(result["fraction"], 0.1);
  EXPECT_EQ(result["negative"].dump(), "0");
  EXPECT_EQ(result["text"], "a \"b\"\n\\ \x1e é");
  EXPECT_TRUE(result["none"].is_null());
  EXPECT_EQ(result["list"], Json::parse("[true]"));
  EXPECT_EQ(result["object"], Json::object());
  EXPECT_EQ(ToWire(event)->payload.find('\x1e'), std::string::npos);
}

TEST(WireTest, WhatWasSkippedIsDeclaredBesideTheOtherFields) {
  v1::Event event = MakeEvent();
  event.mutable_error()->set_message("no");
  const auto wire = ToWire(event);
  EXPECT_EQ(Encode(*wire, 0).packet(), "2[\"error\"," + wire->payload + "]");
  const std::string packet = Encode(*wire, 12).packet();
  EXPECT_EQ(Json::parse(packet.substr(1))[1]["skipped"], 12);
  EXPECT_EQ(Json::parse(packet.substr(1))[1]["error"], "no");
}

TEST(WireTest, AnEventWithoutKindOrPositionIsRefused) {
  v1::Event event = MakeEvent();
  EXPECT_FALSE(ToWire(event).ok());
  event.mutable_error()->set_message("no");
  event.mutable_position()->set_sequence(0);
  EXPECT_FALSE(ToWire(event).ok());
  EXPECT_FALSE(ParseWire("\xff\xff").ok());
}

TEST(WireTest, ASnapshotShowsTheStateByKind) {
  v1::Snapshot snapshot;
  snapshot.set_session_id("session-1");
  snapshot.mutable_position()->set_epoch("k3JxQ0aB");
  snapshot.mutable_position()->set_sequence(9);
  snapshot.set_status(v1::SESSION_STATUS_COMPLETED);
  v1::Event result = MakeEvent();
  result.mutable_model_result()->set_model_name("m");
  result.mutable_model_result()->set_status(v1::MODEL_RESULT_STATUS_COMPLETED);
  *snapshot.add_events() = result;
  v1::Event end = MakeEvent();
  end.mutable_completed();
  *snapshot.add_events() = end;
  const Json body = Json::parse(SnapshotJson(snapshot));
  EXPECT_EQ(body["sequence"], 9);
  EXPECT_EQ(body["status"], "COMPLETED");
  EXPECT_TRUE(body["progress"].is_null());
  EXPECT_EQ(body["modelResults"][0]["modelName"], "m");
  EXPECT_EQ(body["clarifications"], Json::array());
  EXPECT_EQ(body["completed"]["result"], Json::object());
}

}  // namespace
}  // namespace sessioncast::edge
