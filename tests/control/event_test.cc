// The rules of one event, as a table: what is refused, and what the message names.
#include "control/event.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "proto/rules.h"
#include "tests/control/events.h"

namespace sessioncast::test {
namespace {

using control::HandlingOf;
using control::KeyOf;
using control::Validate;

struct BadEvent {
  std::string name;
  v1::Event event;
  std::function<void(v1::Event&)> spoil;
  std::string names;  // the message begins with it
};

v1::Event Question() { return QuestionEvent("s1", "c1"); }
v1::Event Result() { return ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED, "x"); }

google::protobuf::Struct Nested(int depth) {
  google::protobuf::Struct object;
  if (depth > 1) *(*object.mutable_fields())["a"].mutable_struct_value() = Nested(depth - 1);
  return object;
}

// The path to what is one level too deep in Nested.
std::string DeepestUnder(std::string path) {
  for (int i = 0; i < kStructDepthMax; ++i) path += ".a";
  return path;
}

google::protobuf::Value NestedList(int depth) {
  google::protobuf::Value value;
  value.mutable_list_value();
  if (depth > 1) *value.mutable_list_value()->add_values() = NestedList(depth - 1);
  return value;
}

google::protobuf::Value& Payload(v1::Event& event) {
  return (*event.mutable_custom()->mutable_data()->mutable_fields())["a"];
}

std::vector<BadEvent> BadHeads() {
  const v1::Event progress = ProgressEvent("s1", 50);
  return {
      {"NoSessionId", progress, [](v1::Event& e) { e.clear_session_id(); }, "session_id"},
      {"LongSessionId", progress, [](v1::Event& e) { e.set_session_id(std::string(129, 'a')); },
       "session_id"},
      {"PathAsSessionId", progress, [](v1::Event& e) { e.set_session_id("../x"); }, "session_id"},
      {"ProtoAsSessionId", progress, [](v1::Event& e) { e.set_session_id("__proto__"); },
       "session_id"},
      {"NoKind", progress, [](v1::Event& e) { e.clear_kind(); }, "kind"},
      {"PositionSet", progress, [](v1::Event& e) { e.mutable_position()->set_sequence(1); },
       "position"},
      {"TimeSet", progress, [](v1::Event& e) { e.mutable_time()->set_seconds(1); }, "time"},
  };
}

std::vector<BadEvent> BadProgresses() {
  const v1::Event progress = ProgressEvent("s1", 50);
  return {
      {"PercentBelow", progress, [](v1::Event& e) { e.mutable_progress()->set_percent(-1); },
       "progress.percent"},
      {"PercentAbove", progress, [](v1::Event& e) { e.mutable_progress()->set_percent(100.5); },
       "progress.percent"},
      {"PercentNan", progress,
       [](v1::Event& e) { e.mutable_progress()->set_percent(std::nan("")); }, "progress.percent"},
      {"NoProgressStatus", progress, [](v1::Event& e) { e.mutable_progress()->clear_status(); },
       "progress.status"},
      {"UnknownProgressStatus", progress,
       [](v1::Event& e) { e.mutable_progress()->set_status(static_cast<v1::SessionStatus>(77)); },
       "progress.status"},
      {"ProgressExpired", progress,
       [](v1::Event& e) { e.mutable_progress()->set_status(v1::SESSION_STATUS_EXPIRED); },
       "progress.status"},
      {"PromptsAbove", progress,
       [](v1::Event& e) { e.mutable_progress()->mutable_prompts()->set_total(uint32_t{1} << 31); },
       "progress.prompts"},
      {"ProgressResultTooDeep", progress,
       [](v1::Event& e) { *e.mutable_progress()->mutable_result() = Nested(kStructDepthMax + 1); },
       DeepestUnder("progress.result")},
  };
}

std::vector<BadEvent> BadResults() {
  return {
      {"NoModelName", Result(), [](v1::Event& e) { e.mutable_model_result()->clear_model_name(); },
       "model_result.model_name"},
      {"LongModelName", Result(),
       [](v1::Event& e) {
         e.mutable_model_result()->set_model_name(std::string(kNameBytesMax + 1, 'm'));
       },
       "model_result.model_name"},
      {"LongProvider", Result(),
       [](v1::Event& e) {
         e.mutable_model_result()->set_provider(std::string(kNameBytesMax + 1, 'p'));
       },
       "model_result.provider"},
      {"LongRunId", Result(),
       [](v1::Event& e) {
         e.mutable_model_result()->set_run_id(std::string(kNameBytesMax + 1, 'r'));
       },
       "model_result.run_id"},
      {"DurationAbove", Result(),
       [](v1::Event& e) { e.mutable_model_result()->set_duration_ms(uint64_t{1} << 53); },
       "model_result.duration_ms"},
      {"NoResultStatus", Result(), [](v1::Event& e) { e.mutable_model_result()->clear_status(); },
       "model_result.status"},
      {"ErrorWithoutFailed", Result(),
       [](v1::Event& e) { e.mutable_model_result()->set_error("x"); }, "model_result.error"},
      {"ResultNotUtf8", Result(),
       [](v1::Event& e) { e.mutable_model_result()->set_result("\xC3\x28"); },
       "model_result.result"},
  };
}

std::vector<BadEvent> BadClarifications() {
  return {
      {"NoClarificationId", Question(),
       [](v1::Event& e) { e.mutable_clarification()->clear_clarification_id(); },
       "clarification.clarification_id"},
      {"NoQuestion", Question(), [](v1::Event& e) { e.mutable_clarification()->clear_question(); },
       "clarification.question"},
      {"LongQuestion", Question(),
       [](v1::Event& e) {
         e.mutable_clarification()->set_question(std::string(kTextBytesMax + 1, 'q'));
       },
       "clarification.question"},
      {"NotPending", Question(),
       [](v1::Event& e) {
         e.mutable_clarification()->set_status(v1::CLARIFICATION_STATUS_ANSWERED);
       },
       "clarification.status"},
      {"ResponseSet", Question(),
       [](v1::Event& e) { e.mutable_clarification()->set_response("x"); },
       "clarification.response"},
      {"NoTimeAtAll", Question(),
       [](v1::Event& e) { e.mutable_clarification()->mutable_time_limit(); },
       "clarification.time_limit"},
      {"TimeLimitAbove", Question(),
       [](v1::Event& e) {
         e.mutable_clarification()->mutable_time_limit()->set_seconds(30 * 86'400 + 1);
       },
       "clarification.time_limit"},
      {"LongDefault", Question(),
       [](v1::Event& e) {
         e.mutable_clarification()->set_default_response(std::string(kTextBytesMax + 1, 'd'));
       },
       "clarification.default_response"},
  };
}

std::vector<BadEvent> BadPayloads() {
  const v1::Event custom = CustomEvent("s1", "x");
  const auto spoil_name = [](const char* name) {
    return [name](v1::Event& e) { e.mutable_custom()->set_name(name); };
  };
  return {
      {"NoErrorMessage", FinalErrorEvent("s1"),
       [](v1::Event& e) { e.mutable_error()->clear_message(); }, "error.message"},
      {"ContractName", custom, spoil_name("progress"), "custom.name"},
      {"SocketIoName", custom, spoil_name("disconnect"), "custom.name"},
      {"NoName", custom, spoil_name(""), "custom.name"},
      {"UnsafeKey", custom,
       [](v1::Event& e) { (*Payload(e).mutable_struct_value()->mutable_fields())["__proto__"]; },
       "custom.data.a.__proto__"},
      {"InfiniteNumber", custom,
       [](v1::Event& e) { Payload(e).set_number_value(std::numeric_limits<double>::infinity()); },
       "custom.data.a"},
      {"ValueWithoutKind", custom, [](v1::Event& e) { Payload(e).Clear(); }, "custom.data.a"},
      {"StringNotUtf8", custom, [](v1::Event& e) { Payload(e).set_string_value("\xED\xA0\x80"); },
       "custom.data.a"},
      {"ListTooDeep", custom, [](v1::Event& e) { Payload(e) = NestedList(kStructDepthMax); },
       "custom.data.a"},
      {"CompletedTooDeep", CompletedEvent("s1"),
       [](v1::Event& e) { *e.mutable_completed()->mutable_result() = Nested(kStructDepthMax + 1); },
       DeepestUnder("completed.result")},
      {"TooLarge", custom,
       [](v1::Event& e) { Payload(e).set_string_value(std::string(kEventBytesMax, 'x')); },
       "event"},
      {"ResultTooLarge", Result(),
       [](v1::Event& e) {
         e.mutable_model_result()->set_result(std::string(kResultEventBytesMax, 'x'));
       },
       "event"},
  };
}

class BadEventTest : public testing::TestWithParam<BadEvent> {};

TEST_P(BadEventTest, IsRefusedAndItsFieldNamed) {
  v1::Event event = GetParam().event;
  ASSERT_TRUE(Validate(event).ok()) << Validate(event);
  GetParam().spoil(event);
  const absl::Status status = Validate(event);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(std::string(status.message()).rfind(GetParam().names + ":", 0), 0u) << status;
}

std::string NameOf(const testing::TestParamInfo<BadEvent>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Heads, BadEventTest, testing::ValuesIn(BadHeads()), NameOf);
INSTANTIATE_TEST_SUITE_P(Progresses, BadEventTest, testing::ValuesIn(BadProgresses()), NameOf);
INSTANTIATE_TEST_SUITE_P(Results, BadEventTest, testing::ValuesIn(BadResults()), NameOf);
INSTANTIATE_TEST_SUITE_P(Clarifications, BadEventTest, testing::ValuesIn(BadClarifications()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Payloads, BadEventTest, testing::ValuesIn(BadPayloads()), NameOf);

TEST(EventTest, TheLimitsThemselvesAreAllowed) {
  v1::Event progress = ProgressEvent("s1", 100);
  *progress.mutable_progress()->mutable_result() = Nested(kStructDepthMax);
  EXPECT_TRUE(Validate(progress).ok()) << Validate(progress);
  v1::Event question = QuestionEvent(std::string(kIdBytesMax, 's'), std::string(kIdBytesMax, 'c'));
  question.mutable_clarification()->set_question(std::string(kTextBytesMax, 'q'));
  question.mutable_clarification()->mutable_time_limit()->set_nanos(1'000'000);
  EXPECT_TRUE(Validate(question).ok()) << Validate(question);
  v1::Event result = Result();
  result.mutable_model_result()->set_result(std::string(kEventBytesMax, 'x'));
  EXPECT_TRUE(Validate(result).ok()) << Validate(result);
}

struct Handled {
  v1::Event event;
  v1::Delivery delivery;
  v1::Fold fold;
};

TEST(EventTest, ABadByteIsFoundWhereverItStands) {
  v1::Event event = Result();
  for (size_t at = 0; at < 20; ++at) {
    std::string text(20, 'x');
    text[at] = '\x80';
    event.mutable_model_result()->set_result(text);
    EXPECT_FALSE(control::Validate(event).ok()) << at;
    event.mutable_model_result()->set_result(std::string(at, 'x') + "\xF0\x9F\x99\x82, " +
                                             std::string(8, 'x'));
    EXPECT_TRUE(control::Validate(event).ok()) << at;
    event.mutable_model_result()->set_result(std::string(at, 'x') + "\xF0\x9F\x99");
    EXPECT_FALSE(control::Validate(event).ok()) << at;
  }
}

TEST(EventTest, HandlingIsWhatTheProtoSays) {
  v1::Event expired = ProgressEvent("s1", 1);
  expired.mutable_progress()->set_status(v1::SESSION_STATUS_EXPIRED);
  v1::Event error = FinalErrorEvent("s1");
  error.mutable_error()->set_final(false);
  const std::vector<Handled> table = {
      {ProgressEvent("s1", 1), v1::DELIVERY_LATEST, v1::FOLD_LAST},
      {expired, v1::DELIVERY_TERMINAL, v1::FOLD_LAST},
      {ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_PROCESSING, ""), v1::DELIVERY_LATEST_BY_KEY,
       v1::FOLD_LAST_BY_KEY},
      {ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_FAILED, ""), v1::DELIVERY_MUST,
       v1::FOLD_LAST_BY_KEY},
      {Question(), v1::DELIVERY_MUST, v1::FOLD_LAST_BY_KEY},
      {CompletedEvent("s1"), v1::DELIVERY_TERMINAL, v1::FOLD_LAST},
      {error, v1::DELIVERY_MUST, v1::FOLD_NONE},
      {FinalErrorEvent("s1"), v1::DELIVERY_TERMINAL, v1::FOLD_LAST},
      {CustomEvent("s1", "x"), v1::DELIVERY_MUST, v1::FOLD_NONE},
  };
  for (const Handled& row : table) {
    EXPECT_EQ(HandlingOf(row.event).delivery, row.delivery) << row.event.ShortDebugString();
    EXPECT_EQ(HandlingOf(row.event).fold, row.fold) << row.event.ShortDebugString();
  }
}

TEST(EventTest, AKeyIsTheKindAndItsKeyFieldsOnly) {
  v1::Event first = ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_PROCESSING, "a");
  v1::Event same = ResultEvent("s2", "m", v1::MODEL_RESULT_STATUS_COMPLETED, "b");
  EXPECT_EQ(KeyOf(first), KeyOf(same));
  same.mutable_model_result()->set_run_id("2");
  EXPECT_NE(KeyOf(first), KeyOf(same));
  EXPECT_NE(KeyOf(QuestionEvent("s1", "a")), KeyOf(QuestionEvent("s1", "b")));
}

TEST(EventTest, KeysOfDifferentFieldsDoNotRunTogether) {
  v1::Event first = ResultEvent("s1", "a|1:b", v1::MODEL_RESULT_STATUS_PROCESSING, "");
  v1::Event second = ResultEvent("s1", "a", v1::MODEL_RESULT_STATUS_PROCESSING, "");
  second.mutable_model_result()->set_run_id("b");
  EXPECT_NE(KeyOf(first), KeyOf(second));
}

TEST(EventTest, ThePayloadHashDoesNotHangOnTheOrderOfAMap) {
  v1::Event first = CustomEvent("s1", "x");
  v1::Event second = CustomEvent("s1", "x");
  for (int i = 0; i < 50; ++i) {
    (*first.mutable_custom()->mutable_data()->mutable_fields())[std::to_string(i)].set_number_value(
        i);
    (*second.mutable_custom()->mutable_data()->mutable_fields())[std::to_string(49 - i)]
        .set_number_value(49 - i);
  }
  EXPECT_EQ(control::PayloadHash(first), control::PayloadHash(second));
}

TEST(EventTest, ThePayloadHashIsTheSameInEveryBuild) {
  EXPECT_EQ(control::PayloadHash(ProgressEvent("s1", 50)), 7341194705991938474u);
}

TEST(EventTest, WhatThePublisherSaysIsNotFilledIn) {
  v1::Event event = ProgressEvent("s1", 1);
  event.mutable_progress()->set_clarification_count(9);
  event.mutable_progress()->mutable_prompts()->set_total(4);
  control::FillFrom({1, 2, 3, 1}, event);
  EXPECT_EQ(event.progress().clarification_count(), 9u);
  EXPECT_EQ(event.progress().prompts().total(), 4u);
  EXPECT_EQ(event.progress().prompts().completed(), 0u);
  EXPECT_TRUE(event.progress().has_clarifications());
  EXPECT_FALSE(event.progress().result_available());
}

}  // namespace
}  // namespace sessioncast::test
