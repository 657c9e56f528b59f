// What a live view knows of a session, event by event.
#include "tools/sessioncast/watch_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/tools/watch_events.h"

namespace sessioncast::tool {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WatchStateTest : public testing::Test {
 protected:
  Happening happening_;
  WatchState state_{"my-session"};
};

TEST_F(WatchStateTest, AModelIsOneRowWhoseLastLineChanges) {
  state_.Add(happening_.Writes("llama", "one"));
  state_.Add(happening_.Writes("mistral", "x"));
  state_.Add(happening_.Writes("llama", "one\ntwo so far \n"));
  ASSERT_THAT(state_.models(), SizeIs(2));
  EXPECT_EQ(state_.models()[0].name, "llama");
  EXPECT_EQ(state_.models()[0].text, "two so far");
  state_.Add(happening_.Model("llama", v1::MODEL_RESULT_STATUS_COMPLETED, "\n one\ntwo", 3'400));
  EXPECT_EQ(state_.models()[0].text, "one\ntwo") << "all of it, from its beginning";
  EXPECT_EQ(state_.models()[0].duration_ms, 3'400u);
  state_.Add(happening_.Model("mistral", v1::MODEL_RESULT_STATUS_FAILED, "out of memory"));
  EXPECT_EQ(state_.models()[1].text, "out of memory");
  EXPECT_EQ(state_.sequence(), 5u);
}

TEST_F(WatchStateTest, RunsOfOneModelAreRowsOfTheirOwn) {
  for (const char* run : {"a", "b", "a"}) {
    v1::Event event = happening_.Writes("llama", run);
    event.mutable_model_result()->set_run_id(run);
    state_.Add(event);
  }
  EXPECT_THAT(state_.models(), SizeIs(2));
}

TEST_F(WatchStateTest, AQuestionIsOpenUntilItIsAnswered) {
  v1::Event asks = happening_.Asks("c-1", "Which?");
  asks.mutable_clarification()->mutable_time_limit()->set_seconds(30);
  state_.Add(asks);
  ASSERT_THAT(state_.questions(), SizeIs(1));
  EXPECT_EQ(state_.questions()[0].until->seconds(), asks.time().seconds() + 30);
  state_.Add(happening_.Answered("c-1", "Which?", "this one"));
  ASSERT_THAT(state_.questions(), SizeIs(1));
  EXPECT_EQ(state_.questions()[0].status, v1::CLARIFICATION_STATUS_ANSWERED);
  EXPECT_EQ(state_.questions()[0].response, "this one");
  EXPECT_FALSE(state_.questions()[0].until.has_value());
}

TEST_F(WatchStateTest, OnlyTheEndEndsIt) {
  EXPECT_EQ(state_.status(), v1::SESSION_STATUS_UNSPECIFIED);
  state_.Add(happening_.Progress(100, v1::SESSION_STATUS_COMPLETED));
  state_.Add(happening_.Error("a model is away"));
  EXPECT_FALSE(state_.end().has_value());
  state_.Add(happening_.FinalError("all is lost"));
  EXPECT_EQ(state_.end()->text, "all is lost");
  EXPECT_EQ(state_.status(), v1::SESSION_STATUS_FAILED);
}

TEST_F(WatchStateTest, ASessionThatExpiredHasEnded) {
  state_.Add(happening_.Progress(10, v1::SESSION_STATUS_EXPIRED));
  EXPECT_EQ(state_.end()->status, v1::SESSION_STATUS_EXPIRED);
}

TEST_F(WatchStateTest, ASnapshotTakesThePlaceOfAllThatWasKnown) {
  state_.Add(happening_.Writes("llama", "x"));
  state_.Add(happening_.Asks("c-1", "Which?"));
  v1::Snapshot snapshot;
  *snapshot.add_events() = happening_.Progress(70);
  *snapshot.add_events() = happening_.Writes("mistral", "y");
  snapshot.mutable_position()->set_sequence(90);
  snapshot.set_model_results_left_out(3);
  state_.StartOver(snapshot);
  ASSERT_THAT(state_.models(), SizeIs(1));
  EXPECT_EQ(state_.models()[0].name, "mistral");
  EXPECT_EQ(state_.models_forgotten(), 3u);
  EXPECT_THAT(state_.questions(), IsEmpty());
  EXPECT_EQ(state_.progress()->percent(), 70);
  EXPECT_EQ(state_.sequence(), 90u);
  EXPECT_THAT(state_.event_lines()[2], HasSubstr("after #2 are not kept any more"));
}

TEST_F(WatchStateTest, TheTimeOfAnOutageIsThatOfItsBeginning) {
  const WatchState::Clock::time_point start{};
  using std::chrono::seconds;
  state_.SetConnection(WatchState::Connection::kAway, start + seconds(1));
  state_.SetConnection(WatchState::Connection::kAway, start + seconds(2));
  EXPECT_EQ(state_.connection_since(), start + seconds(1));
}

TEST_F(WatchStateTest, IsBoundedAndForgetsWhatHasEndedFirst) {
  state_.Add(happening_.Writes("first", "x"));
  state_.Add(happening_.Model("done", v1::MODEL_RESULT_STATUS_COMPLETED, "x"));
  state_.Add(happening_.Asks("open", "x"));
  state_.Add(happening_.Answered("ended", "x", "y"));
  for (size_t n = 0; n < WatchState::kModelsMax - 1; ++n) {
    state_.Add(happening_.Writes(absl::StrCat("m", n), "x"));
    state_.Add(happening_.Asks(absl::StrCat("q", n), "x"));
  }
  EXPECT_THAT(state_.models(), SizeIs(WatchState::kModelsMax));
  EXPECT_THAT(state_.questions(), SizeIs(WatchState::kQuestionsMax));
  EXPECT_THAT(state_.event_lines(), SizeIs(WatchState::kEventLinesMax));
  EXPECT_EQ(state_.models_forgotten(), 1u);
  EXPECT_EQ(state_.models()[0].name, "first") << "it still writes";
  EXPECT_EQ(state_.models()[1].name, "m0");
  EXPECT_EQ(state_.questions()[0].id, "open");
  EXPECT_EQ(state_.questions()[1].id, "q0");
  state_.Add(happening_.Writes("one more", "x"));
  EXPECT_EQ(state_.models()[0].name, "m0") << "the oldest, where none has ended";
}

TEST_F(WatchStateTest, TextsAreBoundedAndCutBetweenCharacters) {
  std::string text;
  while (text.size() < 10 * WatchState::kTextBytesMax) text += "日";
  state_.Add(happening_.Writes("writes", text));
  state_.Add(happening_.Model("done", v1::MODEL_RESULT_STATUS_COMPLETED, text));
  state_.Add(happening_.Asks("c", text));
  for (const std::string& kept :
       {state_.models()[0].text, state_.models()[1].text, state_.questions()[0].question}) {
    EXPECT_LE(kept.size(), WatchState::kTextBytesMax);
    EXPECT_GT(kept.size(), WatchState::kTextBytesMax - 3);
    EXPECT_EQ(kept.size() % 3, 0u);
    EXPECT_EQ(kept.substr(0, 3), "日");
  }
}

}  // namespace
}  // namespace sessioncast::tool
