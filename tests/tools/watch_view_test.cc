// How a session is shown, at each size.
#include "tools/sessioncast/watch_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/random_text.h"
#include "tests/tools/watch_events.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using std::chrono::seconds;

constexpr WatchState::Clock::time_point kStart{};

std::string TextOf(const ViewLine& line) {
  std::string text;
  for (const Piece& piece : line) text += piece.text;
  text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

std::string TextOf(const std::vector<ViewLine>& lines) {
  std::string text;
  for (const ViewLine& line : lines) text += TextOf(line) + "\n";
  return text;
}

class WatchViewTest : public testing::Test {
 protected:
  WatchViewTest() { state_.SetConnection(WatchState::Connection::kLive, kStart); }

  std::string Text(ViewSize size, WatchState::Clock::time_point now = kStart) const {
    return TextOf(Draw(state_, "", size, now));
  }

  void AddAllKinds() {
    v1::Event progress = happening_.Progress(45);
    v1::Prompts& prompts = *progress.mutable_progress()->mutable_prompts();
    prompts.set_total(4);
    prompts.set_completed(2);
    prompts.set_processing(1);
    prompts.set_failed(1);
    state_.Add(happening_.Asks("c-1", "Which language?"));
    state_.Add(happening_.Answered("c-1", "Which language?", "English"));
    state_.Add(progress);
    state_.Add(happening_.Model("mistral:7b", v1::MODEL_RESULT_STATUS_COMPLETED,
                                "Three parts: job runners, control, edges.", 3'400));
    state_.Add(happening_.Model("qwen2.5:14b", v1::MODEL_RESULT_STATUS_FAILED, "out of memory", 900));
    state_.Add(happening_.Writes("llama3.1:8b", "One log for each session. What"));
    state_.Add(happening_.Asks("c-2", "Who will read the summary: engineers, or everybody?"));
    state_.Add(happening_.Custom("token", R"({"delta": "ever"})"));
    state_.Add(happening_.Writes("llama3.1:8b", "One log for each session. Whatever"));
  }

  Happening happening_;
  WatchState state_{"my-session"};
};

// What README.md shows of it.
TEST_F(WatchViewTest, TheReadmesPictureIsWhatIsDrawn) {
  AddAllKinds();
  std::ifstream file(SESSIONCAST_ROOT "/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  EXPECT_THAT(readme.str(), HasSubstr("```text\n" + Text({80, 22}) + "```\n")) << Text({80, 22});
}

TEST_F(WatchViewTest, TheHeaderSaysWhereItStands) {
  EXPECT_EQ(Text({80, 24}), "my-session  ● live, waiting for the first event\n");
  state_.Add(happening_.Progress(10));
  EXPECT_THAT(Text({80, 24}), StartsWith("my-session  PROCESSING  ● live, at #1\n"));
  state_.SetConnection(WatchState::Connection::kAway, kStart + seconds(1));
  EXPECT_THAT(Text({80, 24}, kStart + seconds(13)),
              StartsWith("my-session  PROCESSING  ○ control is away; going on after #1 (12 s)\n"));
  state_.Add(happening_.Completed(R"({"pages": 3})"));
  EXPECT_THAT(Text({80, 24}), StartsWith("my-session  COMPLETED  ended at #2\n"));
  EXPECT_THAT(Text({80, 24}), HasSubstr("\n✓ COMPLETED  {\"pages\":3}\n"));
}

TEST_F(WatchViewTest, WhereTheHeaderDoesNotFitItTakesTwoLinesOrSaysWhatMatters) {
  state_.Add(happening_.Progress(10));
  EXPECT_THAT(Text({24, 10}), StartsWith("my-session  PROCESSING\n● live, at #1\n"));
  state_.SetConnection(WatchState::Connection::kAway, kStart);
  EXPECT_THAT(Text({24, 4}), StartsWith("○ control is away; goin…\n"));
}

TEST_F(WatchViewTest, TheBarIsAsFullAsThePercent) {
  state_.Add(happening_.Progress(99.9));
  EXPECT_THAT(Text({16, 10}), HasSubstr("█████████░  99 %"));
  state_.Add(happening_.Progress(100));
  EXPECT_THAT(Text({16, 10}), HasSubstr("██████████ 100 %"));
  state_.Add(happening_.Progress(0));
  EXPECT_THAT(Text({16, 10}), HasSubstr("░░░░░░░░░░   0 %"));
}

TEST_F(WatchViewTest, AModelThatWritesShowsTheEndOfItsTextAndOneThatIsDoneItsBeginning) {
  const std::string text = "the beginning " + std::string(200, '.') + " the end";
  state_.Add(happening_.Writes("llama", text));
  EXPECT_THAT(Text({80, 24}), AllOf(HasSubstr("llama  ollama  processing  1.2 s  …"),
                                    HasSubstr(". the end\n")));
  state_.Add(happening_.Model("llama", v1::MODEL_RESULT_STATUS_COMPLETED, text, 75'000));
  EXPECT_THAT(Text({80, 24}), HasSubstr("llama  ollama  completed   1:15 min  the beginning ..."));
}

TEST_F(WatchViewTest, OfMoreModelsThanFitThoseThatWriteAndThoseThatFailedAreShown) {
  for (int n = 0; n < 50; ++n) {
    state_.Add(happening_.Model(absl::StrCat("done", n), v1::MODEL_RESULT_STATUS_COMPLETED, "x"));
  }
  state_.Add(happening_.Model("broken", v1::MODEL_RESULT_STATUS_FAILED, "x"));
  state_.Add(happening_.Writes("writing", "x"));
  EXPECT_THAT(Text({100, 12}), AllOf(HasSubstr("broken  "), HasSubstr("writing  "),
                                     HasSubstr(" more\n"), HasSubstr("#52  ")));
}

TEST_F(WatchViewTest, AnOpenQuestionSaysHowToAnswerIt) {
  v1::Event asks = happening_.Asks("c-1", "Which?");
  asks.mutable_clarification()->mutable_time_limit()->set_seconds(30);
  state_.Add(asks);
  const std::string text =
      TextOf(Draw(state_, " --control=elsewhere:1", {80, 24}, kStart));
  EXPECT_THAT(text, HasSubstr("? c-1  until 14:03:31 UTC  Which?\n"
                              "  sessioncast answer --control=elsewhere:1 my-session c-1 'text'\n"));
  state_.Add(happening_.Answered("c-1", "Which?", "this one"));
  EXPECT_THAT(Text({80, 24}), AllOf(HasSubstr("✓ c-1  answered  Which?  → this one\n"),
                                    Not(HasSubstr("sessioncast answer"))));
}

TEST_F(WatchViewTest, MoreOpenQuestionsThanFitAreCounted) {
  for (int n = 0; n < 30; ++n) state_.Add(happening_.Asks(absl::StrCat("c-", n), "Which?"));
  EXPECT_THAT(Text({80, 20}), AllOf(HasSubstr("? c-0  Which?\n  sessioncast answer my-session c-0 "),
                                    HasSubstr(" more open\n"), HasSubstr("#30  ")));
}

TEST_F(WatchViewTest, InAVerySmallTerminalThereIsStillWhatMatters) {
  AddAllKinds();
  EXPECT_EQ(Text({20, 6}),
            "my-sess…  PROCESSING\n"
            "● live, at #9\n"
            "██████░░░░░░░░  45 %\n"
            "●  llama3.…  1.2 s\n"
            "? c-2  Who will rea…\n"
            "  sessioncast answer\n");
  state_.Add(happening_.Completed("{}"));
  EXPECT_THAT(Text({20, 6}), HasSubstr("✓ COMPLETED  {}\n"));
}

TEST_F(WatchViewTest, LinesOfTheEndAreBounded) {
  state_.Add(happening_.FinalError(std::string(10'000, 'x')));
  const std::vector<ViewLine> lines = Draw(state_, "", {40, 24}, kStart);
  EXPECT_LE(lines.size(), 10u);
  EXPECT_THAT(TextOf(lines.back()), HasSubstr("x…"));
}

// Whatever a publisher writes and however large the terminal is, it fits, and nothing of it is obeyed.
TEST_F(WatchViewTest, WhateverComesFitsAtAnySize) {
  tests::Random random(20261129);
  for (int round = 0; round < 400; ++round) {
    WatchState state("my-session");
    Happening happening;
    const size_t events = tests::Below(random, 40);
    for (size_t n = 0; n < events; ++n) {
      const std::string text = tests::RandomText(random, tests::Below(random, 300));
      const std::string name = tests::RandomText(random, tests::Below(random, 40));
      switch (tests::Below(random, 6)) {
        case 0:
          state.Add(happening.Progress(static_cast<double>(tests::Below(random, 101))));
          break;
        case 1:
          state.Add(happening.Writes(name, text));
          break;
        case 2:
          state.Add(happening.Model(name, v1::MODEL_RESULT_STATUS_COMPLETED, text));
          break;
        case 3:
          state.Add(happening.Asks(absl::StrCat("c-", tests::Below(random, 9)), text));
          break;
        case 4:
          state.Add(happening.Answered(absl::StrCat("c-", tests::Below(random, 9)), text, text));
          break;
        default:
          state.Add(happening.Error(text));
      }
    }
    const bool has_ended = tests::Below(random, 3) == 0;
    if (has_ended) state.Add(happening.FinalError("the end"));
    for (int draw = 0; draw < 10; ++draw) {
      const ViewSize size = {tests::Below(random, 200), tests::Below(random, 60)};
      const std::vector<ViewLine> lines = Draw(state, "", size, kStart);
      ASSERT_LE(lines.size(), size.rows);
      for (const ViewLine& line : lines) {
        ASSERT_LE(ColumnsOf(TextOf(line)), size.columns) << TextOf(line);
        ASSERT_EQ(Shown(TextOf(line)), TextOf(line));
      }
      if (has_ended && size.rows >= 4 && size.columns >= 12) {
        ASSERT_THAT(TextOf(lines), HasSubstr("✗ FAILED")) << size.columns << "x" << size.rows;
      }
    }
  }
}

}  // namespace
}  // namespace sessioncast::tool
