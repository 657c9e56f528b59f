// Events as lines for people.
#include "tools/sessioncast/print.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/tools/watch_events.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(PrintTest, EachKindIsALine) {
  Happening happening;
  EXPECT_EQ(ToLine(happening.Progress(45)), "#1  14:03:01.000  progress       45 %  PROCESSING");
  EXPECT_EQ(ToLine(happening.Writes("llama", "Hel\nlo")),
            "#2  14:03:02.000  model_result   llama  processing  1200 ms  Hel lo");
  EXPECT_EQ(ToLine(happening.Asks("c-1", "Which?")),
            "#3  14:03:03.000  clarification  c-1  pending  Which?");
  EXPECT_EQ(ToLine(happening.Answered("c-1", "Which?", "this")),
            "#4  14:03:04.000  clarification  c-1  answered  Which?  → this");
  EXPECT_EQ(ToLine(happening.Custom("token", R"({"delta": "x"})")),
            R"(#5  14:03:05.000  token  {"delta":"x"})");
  EXPECT_EQ(ToLine(happening.Completed("{}")), "#6  14:03:06.000  completed      {}");
  EXPECT_EQ(ToLine(happening.FinalError("no")), "#7  14:03:07.000  error          no  (final)");
  EXPECT_THAT(ToLine(happening.Next()), HasSubstr("does not know"));
}

TEST(PrintTest, AStatusThatIsNotKnownIsAQuestionMark) {
  Happening happening;
  EXPECT_THAT(ToLine(happening.Model("m", static_cast<v1::ModelResultStatus>(99), "x")),
              HasSubstr("m  ?  "));
}

TEST(PrintTest, TextsAreCutByColumnsBetweenCharacters) {
  Happening happening;
  std::string text;
  for (int n = 0; n < 500; ++n) text += "日";
  const std::string line = ToLine(happening.Error(text));
  EXPECT_THAT(line, HasSubstr("日…"));
  EXPECT_LE(ColumnsOf(line), 160u);
}

// What would set the title, clear the screen, move the cursor; by C0, DEL and C1.
TEST(PrintTest, NothingOfAnEventIsObeyedByATerminal) {
  const std::string hostile = "\x1B]0;owned\x07\x1B[2J\x7F\u009B31m\r\u202Ex";
  Happening happening;
  std::vector<v1::Event> events = {happening.Writes(hostile, hostile),
                                   happening.Model(hostile, v1::MODEL_RESULT_STATUS_FAILED, hostile),
                                   happening.Asks(hostile, hostile),
                                   happening.Answered(hostile, hostile, hostile),
                                   happening.Error(hostile)};
  v1::Event custom = happening.Custom(hostile, "{}");
  (*custom.mutable_custom()->mutable_data()->mutable_fields())[hostile].set_string_value(hostile);
  v1::Event completed = happening.Completed("{}");
  (*completed.mutable_completed()->mutable_result()->mutable_fields())[hostile].set_string_value(
      hostile);
  events.push_back(custom);
  events.push_back(completed);
  for (const v1::Event& event : events) {
    EXPECT_EQ(ToLine(event), Shown(ToLine(event)));
    EXPECT_THAT(ToLine(event), StartsWith("#"));
    for (const std::string& text : {ToLine(event), ToJson(event)}) {
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char byte) {
        return static_cast<uint8_t>(byte) >= 0x20 && byte != 0x7F;
      })) << text;
      EXPECT_EQ(text.find("\u009B"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace sessioncast::tool
