// History: positions, keys, heads, clarifications, windows, what is kept.
#include "control/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/control/events.h"

namespace sessioncast::test {
namespace {

using control::Answer;
using control::ClarificationEnd;
using control::History;
using control::HistoryOptions;
using control::Page;
using control::PageLimits;
using control::Reading;
using control::Stamp;
using control::StoredEventPtr;
using Outcome = control::Answer::Outcome;

constexpr char kSession[] = "s1";

Stamp At(int64_t seconds) { return {absl::FromUnixSeconds(seconds), "epoch-01"}; }

ClarificationEnd AnswerTo(const std::string& id, const std::string& text) {
  return {kSession, id, v1::CLARIFICATION_STATUS_ANSWERED, text};
}

std::vector<uint64_t> SequencesOf(const std::vector<StoredEventPtr>& events) {
  std::vector<uint64_t> sequences;
  for (const StoredEventPtr& event : events) sequences.push_back(event->sequence);
  return sequences;
}

using Sequences = std::vector<uint64_t>;

class HistoryTest : public testing::Test {
 protected:
  Answer Append(v1::Event event, const std::string& key = "") {
    return history_.Append(std::move(event), key, At(++seconds_));
  }
  Answer AppendDurably(v1::Event event, const std::string& key = "") {
    Answer answer = Append(std::move(event), key);
    if (!answer.appended.empty()) history_.Durable(answer.appended.back()->sequence);
    return answer;
  }

  History history_{kSession, HistoryOptions{}};
  int64_t seconds_ = 1'000;
};

TEST_F(HistoryTest, ReadersSeeTheDurableHeadOnly) {
  Append(CustomEvent(kSession, "a"));
  Append(CustomEvent(kSession, "b"));
  EXPECT_EQ(history_.top().sequence(), 0u);
  EXPECT_EQ(history_.top().epoch(), "");
  EXPECT_TRUE(history_.Read(0, {}).events.empty());
  history_.Durable(1);
  EXPECT_EQ(history_.top().epoch(), "epoch-01");
  EXPECT_EQ(SequencesOf(history_.Read(0, {}).events), (Sequences{1}));
  EXPECT_EQ(history_.Snapshot().summary.position().sequence(), 1u);
}

TEST_F(HistoryTest, EveryAnswerNamesWhatItRestsOn) {
  EXPECT_EQ(Append(CustomEvent(kSession, "a"), "k").rests_on, 1u);
  EXPECT_EQ(Append(QuestionEvent(kSession, "c")).rests_on, 2u);
  EXPECT_EQ(Append(CustomEvent(kSession, "a"), "k").rests_on, 1u);
  EXPECT_EQ(Append(CustomEvent(kSession, "b"), "k").rests_on, 1u);
  EXPECT_EQ(history_.EndClarification(AnswerTo("c", "x"), At(1)).rests_on, 3u);
  EXPECT_EQ(history_.EndClarification(AnswerTo("c", "y"), At(1)).rests_on, 3u);
  EXPECT_EQ(Append(CompletedEvent(kSession)).rests_on, 4u);
  const Answer late = Append(CustomEvent(kSession, "late"));
  EXPECT_EQ(late.rests_on, 4u);
  EXPECT_TRUE(absl::IsFailedPrecondition(late.refusal));
}

TEST_F(HistoryTest, AKeyIsLookedUpBeforeTheEnd) {
  Append(CompletedEvent(kSession), "end");
  const Answer again = Append(CompletedEvent(kSession), "end");
  EXPECT_EQ(again.outcome, Outcome::kDuplicate);
  EXPECT_EQ(again.position.sequence(), 1u);
}

TEST_F(HistoryTest, AKeyIsKnownAfterARestart) {
  const Answer first = AppendDurably(CustomEvent(kSession, "a"), "k");
  History restarted(kSession, {});
  restarted.Restore(history_.AssignedSession());
  restarted.Restore(first.appended.front());
  EXPECT_EQ(restarted.Append(CustomEvent(kSession, "a"), "k", At(1)).outcome, Outcome::kDuplicate);
  EXPECT_TRUE(
      absl::IsAlreadyExists(restarted.Append(CustomEvent(kSession, "b"), "k", At(1)).refusal));
}

TEST_F(HistoryTest, AFailedGroupDropsEverythingBehindIt) {
  AppendDurably(CustomEvent(kSession, "a"), "k1");
  Append(CustomEvent(kSession, "b"), "k2");
  Append(QuestionEvent(kSession, "c"));
  Append(CompletedEvent(kSession));
  history_.Drop(2);
  EXPECT_EQ(history_.assigned(), 1u);
  EXPECT_EQ(Append(CustomEvent(kSession, "other"), "k2").position.sequence(), 2u);
  EXPECT_EQ(Append(QuestionEvent(kSession, "c")).outcome, Outcome::kAppended);
  EXPECT_EQ(Append(CustomEvent(kSession, "a"), "k1").outcome, Outcome::kDuplicate);
}

TEST_F(HistoryTest, WhenTheFirstGroupFailsTheNextEventHasAnEpochOfItsOwn) {
  Append(CustomEvent(kSession, "a"));
  history_.Drop(1);
  EXPECT_EQ(history_.assigned(), 0u);
  const Answer next =
      history_.Append(CustomEvent(kSession, "a"), "", {absl::FromUnixSeconds(1), "epoch-02"});
  EXPECT_EQ(next.position.epoch(), "epoch-02");
}

TEST_F(HistoryTest, TimesDoNotDecreaseWhenTheClockDoes) {
  const Answer first = history_.Append(CustomEvent(kSession, "a"), "", At(100));
  const Answer second = history_.Append(CustomEvent(kSession, "b"), "", At(50));
  EXPECT_EQ(second.appended.front()->time, first.appended.front()->time);
}

TEST_F(HistoryTest, ProgressIsFilledFromWhatIsAssigned) {
  Append(ResultEvent(kSession, "a", v1::MODEL_RESULT_STATUS_PROCESSING, ""));
  Append(ResultEvent(kSession, "b", v1::MODEL_RESULT_STATUS_PROCESSING, ""));
  Append(ResultEvent(kSession, "b", v1::MODEL_RESULT_STATUS_COMPLETED, "x"));
  Append(QuestionEvent(kSession, "c"));
  const v1::Progress progress =
      EventOf(*Append(ProgressEvent(kSession, 10)).appended.front()).progress();
  EXPECT_EQ(progress.prompts().total(), 2u);
  EXPECT_EQ(progress.prompts().completed(), 1u);
  EXPECT_EQ(progress.prompts().processing(), 1u);
  EXPECT_EQ(progress.clarification_count(), 1u);
  EXPECT_TRUE(progress.has_clarifications());
}

TEST_F(HistoryTest, TheEndCancelsWhatIsOpenInTheSameAppend) {
  Append(QuestionEvent(kSession, "a"));
  Append(QuestionEvent(kSession, "b"));
  history_.EndClarification(AnswerTo("a", "x"), At(1));
  const Answer end = Append(FinalErrorEvent(kSession));
  ASSERT_EQ(end.appended.size(), 2u);
  const v1::Event cancelled = EventOf(*end.appended.front());
  EXPECT_EQ(cancelled.clarification().clarification_id(), "b");
  EXPECT_EQ(cancelled.clarification().status(), v1::CLARIFICATION_STATUS_CANCELLED);
  EXPECT_EQ(end.position.sequence(), 5u);
  EXPECT_EQ(end.rests_on, 5u);
}

TEST_F(HistoryTest, AProgressOfStatusCompletedEndsNothing) {
  v1::Event event = ProgressEvent(kSession, 100);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_COMPLETED);
  AppendDurably(std::move(event));
  EXPECT_FALSE(history_.ended());
  EXPECT_EQ(Append(CustomEvent(kSession, "x")).outcome, Outcome::kAppended);
}

TEST_F(HistoryTest, TheFirstToEndAClarificationWinsThoughItIsNotDurableYet) {
  Append(QuestionEvent(kSession, "c"));
  history_.EndClarification(AnswerTo("c", "first"), At(1));
  const Answer late = history_.EndClarification(AnswerTo("c", "second"), At(2));
  EXPECT_TRUE(absl::IsAlreadyExists(late.refusal));
  ASSERT_NE(late.winner, nullptr);
  EXPECT_EQ(EventOf(*late.winner).clarification().response(), "first");
  EXPECT_EQ(late.rests_on, 2u);
}

TEST_F(HistoryTest, AnExpiryAnswersWithTheDefault) {
  v1::Event question = QuestionEvent(kSession, "c");
  question.mutable_clarification()->mutable_time_limit()->set_seconds(5);
  question.mutable_clarification()->set_default_response("no");
  const Answer asked = history_.Append(std::move(question), "", At(100));
  ASSERT_EQ(asked.deadlines_set.size(), 2u);  // the session's own is the other
  EXPECT_TRUE(asked.deadlines_set[0].is_of_session());
  EXPECT_EQ(asked.deadlines_set[1].time, absl::FromUnixSeconds(105));
  const Answer expired = history_.EndClarification(
      {kSession, "c", v1::CLARIFICATION_STATUS_EXPIRED, std::nullopt}, At(106));
  EXPECT_EQ(EventOf(*expired.appended.front()).clarification().response(), "no");
  ASSERT_EQ(expired.deadlines_cleared.size(), 1u);
  EXPECT_EQ(expired.deadlines_cleared[0].time, absl::FromUnixSeconds(105));
}

TEST_F(HistoryTest, OpenClarificationsAreBounded) {
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(Append(QuestionEvent(kSession, "c" + std::to_string(i))).outcome, Outcome::kAppended);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(Append(QuestionEvent(kSession, "one-more")).refusal));
  history_.EndClarification(AnswerTo("c0", "x"), At(1));
  EXPECT_EQ(Append(QuestionEvent(kSession, "one-more")).outcome, Outcome::kAppended);
}

TEST_F(HistoryTest, TheWindowIsBoundedAndWhatLeftItIsNotHeld) {
  HistoryOptions options;
  options.window_events_max = 3;
  History history(kSession, options);
  for (int i = 0; i < 5; ++i) history.Append(CustomEvent(kSession, "x"), "", At(1));
  history.Durable(5);
  EXPECT_FALSE(history.Holds(0));
  EXPECT_FALSE(history.Holds(1));
  EXPECT_TRUE(history.Holds(2));
  EXPECT_EQ(SequencesOf(history.Read(2, {}).events), (Sequences{3, 4, 5}));
  EXPECT_TRUE(history.Has(PositionAt("epoch-01", 1)));
  history.ForgetWindow();
  EXPECT_FALSE(history.Holds(4));
  EXPECT_TRUE(history.Holds(5));
}

TEST_F(HistoryTest, PositionsOfAnotherEpochOrAboveTheTopAreNotThere) {
  AppendDurably(CustomEvent(kSession, "x"));
  EXPECT_TRUE(history_.Has(PositionAt("", 0)));
  EXPECT_TRUE(history_.Has(PositionAt("epoch-01", 0)));
  EXPECT_TRUE(history_.Has(PositionAt("epoch-01", 1)));
  EXPECT_FALSE(history_.Has(PositionAt("epoch-01", 2)));
  EXPECT_FALSE(history_.Has(PositionAt("epoch-02", 1)));
  EXPECT_FALSE(history_.Has(PositionAt("", 1)));
}

TEST_F(HistoryTest, PastTheFoldsBoundClosedClarificationsLeaveFirstThenTheOldestResults) {
  HistoryOptions options;
  options.fold.entries_max = 4;
  History history(kSession, options);
  history.Append(QuestionEvent(kSession, "closed"), "", At(1));
  history.EndClarification(AnswerTo("closed", "x"), At(1));
  history.Append(QuestionEvent(kSession, "open"), "", At(1));
  for (const char* model : {"a", "b", "c", "d"}) {
    history.Append(ResultEvent(kSession, model, v1::MODEL_RESULT_STATUS_COMPLETED, ""), "", At(1));
  }
  history.Durable(history.assigned());
  const control::SnapshotView view = history.Snapshot();
  EXPECT_EQ(SequencesOf(view.events), (Sequences{3, 5, 6, 7}));
  EXPECT_EQ(view.clarifications_left_out, 1u);
  EXPECT_EQ(view.model_results_left_out, 1u);
}

TEST_F(HistoryTest, AConflatedPageKeepsWhatMustBeKept) {
  AppendDurably(ProgressEvent(kSession, 1));
  AppendDurably(CustomEvent(kSession, "x"));
  AppendDurably(ResultEvent(kSession, "m", v1::MODEL_RESULT_STATUS_COMPLETED, "1"));
  AppendDurably(ResultEvent(kSession, "m", v1::MODEL_RESULT_STATUS_PROCESSING, "2"));
  AppendDurably(ResultEvent(kSession, "m", v1::MODEL_RESULT_STATUS_FAILED, "3"));
  AppendDurably(ProgressEvent(kSession, 2));
  AppendDurably(CompletedEvent(kSession));
  const Page page = history_.Read(0, PageLimits{.reading = Reading::kConflated});
  EXPECT_EQ(SequencesOf(page.events), (Sequences{2, 3, 5, 6, 7}));
  EXPECT_EQ(page.through, 7u);
}

TEST_F(HistoryTest, AConflatedPageCountsOnlyWhatItKeeps) {
  for (int i = 0; i < 100; ++i) AppendDurably(ProgressEvent(kSession, i));
  const Page page = history_.Read(0, PageLimits{.bytes_max = 200, .reading = Reading::kConflated});
  EXPECT_EQ(SequencesOf(page.events), (Sequences{100}));
}

// --- What is kept

// A history with limits of its own, every append of which is durable at once, and what a store has
// of it then.
class KeptTest : public testing::Test {
 protected:
  Answer Append(v1::Event event, const std::string& key = "") {
    Answer answer = history_->Append(std::move(event), key, At(seconds_));
    Store(answer);
    return answer;
  }
  void Store(const Answer& answer) {
    if (answer.appended.empty()) return;
    std::optional<control::FoldState> fold = std::move(stored_.fold);
    stored_ = history_->AssignedSession();
    stored_.fold = answer.fold.has_value() ? answer.fold : std::move(fold);
    events_.insert(events_.end(), answer.appended.begin(), answer.appended.end());
    events_.erase(events_.begin(),
                  events_.begin() + static_cast<ptrdiff_t>(events_.size() - kept()));
    history_->Durable(answer.appended.back()->sequence);
  }
  void Restart(HistoryOptions options) {
    options_ = options;
    history_.emplace(kSession, options);
    if (stored_.position.sequence() == 0) return;
    history_->Restore(stored_);
    for (const StoredEventPtr& event : events_) history_->Restore(event);
  }
  uint64_t first() const { return stored_.first_sequence; }
  size_t kept() const { return stored_.position.sequence() - first() + 1; }

  HistoryOptions options_;
  std::optional<History> history_{std::in_place, kSession, HistoryOptions{}};
  control::StoredSession stored_;
  std::vector<StoredEventPtr> events_;
  int64_t seconds_ = 1'000;
};

TEST_F(KeptTest, AtTheLimitAllEventsAreKeptAndOnePastItTheOldestEighthLeaves) {
  options_.kept.events_max = 80;
  Restart(options_);
  for (int n = 1; n <= 80; ++n) Append(CustomEvent(kSession, "x"));
  EXPECT_TRUE(history_->Has(PositionAt("", 0)));
  EXPECT_EQ(first(), 1u);
  const Answer over = Append(CustomEvent(kSession, "x"));
  EXPECT_EQ(first(), 11u);
  ASSERT_TRUE(over.fold.has_value());
  EXPECT_EQ(over.fold->through, 81u);
  EXPECT_FALSE(Append(CustomEvent(kSession, "x")).fold.has_value());
  for (int n = 0; n < 1'000; ++n) {
    Append(CustomEvent(kSession, "x"));
    ASSERT_LE(kept(), 80u);
    ASSERT_GE(kept(), 70u);
  }
}

TEST_F(KeptTest, BytesAreLimitedToo) {
  options_.kept.bytes_max = 100'000;
  Restart(options_);
  size_t fewest = 1'000'000;
  for (int n = 0; n < 400; ++n) {
    Append(CustomEvent(kSession, std::string(900, 'x')));
    size_t bytes = 0;
    for (const StoredEventPtr& event : events_) bytes += event->bytes.size();
    ASSERT_LE(bytes, 100'000u);
    if (n > 150) fewest = std::min(fewest, bytes);
  }
  EXPECT_GE(fewest, 100'000u * 7 / 8 - 1'000);
}

TEST_F(KeptTest, OneEventIsAlwaysKept) {
  options_.kept.bytes_max = 10;
  Restart(options_);
  for (int n = 0; n < 5; ++n) Append(CustomEvent(kSession, "larger than that"));
  EXPECT_EQ(kept(), 1u);
  EXPECT_EQ(history_->top().sequence(), 5u);
}

TEST_F(KeptTest, EventsLeaveWhenTheyAreTooOld) {
  options_.kept.age_ms_max = 80'000;
  Restart(options_);
  for (int n = 0; n < 81; ++n, ++seconds_) Append(CustomEvent(kSession, "x"));
  EXPECT_EQ(first(), 1u);
  Append(CustomEvent(kSession, "x"));
  EXPECT_EQ(first(), 11u);
  seconds_ += 1'000;
  Append(CustomEvent(kSession, "x"));
  EXPECT_EQ(kept(), 1u);
}

TEST_F(KeptTest, APositionIsThereExactlyIfAllBehindItIsKept) {
  options_.kept.events_max = 8;
  Restart(options_);
  for (int n = 1; n <= 12; ++n) Append(CustomEvent(kSession, "x"));
  ASSERT_EQ(first(), 5u);
  EXPECT_FALSE(history_->Has(PositionAt("", 0)));
  EXPECT_FALSE(history_->Has(PositionAt("epoch-01", 0)));
  EXPECT_FALSE(history_->Has(PositionAt("epoch-01", 3)));
  EXPECT_TRUE(history_->Has(PositionAt("epoch-01", 4)));
  EXPECT_EQ(SequencesOf(history_->Read(4, {}).events), (Sequences{5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_FALSE(history_->Has(PositionAt("epoch-01", ~uint64_t{0})));
}

TEST_F(KeptTest, AKeyIsKnownExactlyAsLongAsItsEventIsKept) {
  options_.kept.events_max = 8;
  Restart(options_);
  for (int n = 1; n <= 8; ++n) Append(CustomEvent(kSession, "x"), "k" + std::to_string(n));
  EXPECT_EQ(Append(CustomEvent(kSession, "x"), "k1").outcome, Outcome::kDuplicate);
  Append(CustomEvent(kSession, "x"), "k9");
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_EQ(Append(CustomEvent(kSession, "x"), "k2").outcome, Outcome::kDuplicate);
    EXPECT_TRUE(absl::IsAlreadyExists(Append(CustomEvent(kSession, "y"), "k2").refusal));
    Restart(options_);
  }
  EXPECT_EQ(Append(CustomEvent(kSession, "y"), "k1").position.sequence(), 10u);
  EXPECT_EQ(Append(CustomEvent(kSession, "y"), "k1").outcome, Outcome::kDuplicate);
}

TEST_F(KeptTest, AnUnstoredTrimIsSeenByNobodyAndGoesWithItsEvent) {
  options_.kept.events_max = 8;
  Restart(options_);
  for (int n = 1; n <= 8; ++n) Append(CustomEvent(kSession, "x"), "k" + std::to_string(n));
  const Answer over = history_->Append(CustomEvent(kSession, "x"), "", At(1));
  const Answer again = history_->Append(CustomEvent(kSession, "other"), "k1", At(1));
  EXPECT_EQ(again.outcome, Outcome::kAppended);
  EXPECT_TRUE(history_->Has(PositionAt("", 0)));
  EXPECT_EQ(history_->Read(0, {}).events.size(), 8u);
  history_->Drop(10);
  EXPECT_EQ(history_->AssignedSession().first_sequence, 2u);
  EXPECT_EQ(Append(CustomEvent(kSession, "x"), "k2").outcome, Outcome::kDuplicate);
  history_->Drop(9);
  EXPECT_EQ(history_->AssignedSession().first_sequence, 1u);
  EXPECT_EQ(Append(CustomEvent(kSession, "x"), "k1").outcome, Outcome::kDuplicate);
}

TEST_F(KeptTest, TheSnapshotIsTheSameThoughNothingOfItIsInTheHistoryAnyMore) {
  options_.kept.events_max = 8;
  options_.fold.entries_max = 5;
  Restart(options_);
  for (const char* model : {"a", "b", "c", "d"})
    Append(ResultEvent(kSession, model, v1::MODEL_RESULT_STATUS_COMPLETED, model));
  Append(QuestionEvent(kSession, "closed"));
  Store(history_->EndClarification(AnswerTo("closed", "yes"), At(seconds_)));
  Append(QuestionEvent(kSession, "open"));
  Append(ProgressEvent(kSession, 40));
  for (int n = 0; n < 20; ++n) Append(CustomEvent(kSession, "x"));
  const control::SnapshotView before = history_->Snapshot();
  EXPECT_EQ(SequencesOf(before.events), (Sequences{2, 3, 4, 7, 8}));
  Restart(options_);
  const control::SnapshotView after = history_->Snapshot();
  EXPECT_EQ(SequencesOf(after.events), SequencesOf(before.events));
  EXPECT_EQ(after.summary.SerializeAsString(), before.summary.SerializeAsString());
  EXPECT_EQ(after.clarifications_left_out, 1u);
  EXPECT_EQ(after.model_results_left_out, 1u);
  const v1::Progress filled =
      EventOf(*Append(ProgressEvent(kSession, 50)).appended.front()).progress();
  EXPECT_EQ(filled.prompts().completed(), 4u);
  EXPECT_EQ(filled.clarification_count(), 1u);
  EXPECT_EQ(Append(QuestionEvent(kSession, "open")).outcome, Outcome::kRefused);
}

TEST_F(KeptTest, AnEndIsTheEndAlsoAfterARestart) {
  options_.kept.events_max = 2;
  Restart(options_);
  for (int n = 0; n < 5; ++n) Append(CustomEvent(kSession, "x"));
  Append(CompletedEvent(kSession), "end");
  Restart(options_);
  EXPECT_TRUE(history_->ended());
  EXPECT_EQ(Append(CompletedEvent(kSession), "end").outcome, Outcome::kDuplicate);
  EXPECT_TRUE(absl::IsFailedPrecondition(Append(CustomEvent(kSession, "late")).refusal));
}

TEST_F(KeptTest, SmallerLimitsAfterARestartHoldFromTheNextEventOn) {
  for (int n = 0; n < 100; ++n) Append(CustomEvent(kSession, "x"));
  options_.kept.events_max = 16;
  Restart(options_);
  Append(CustomEvent(kSession, "x"));
  EXPECT_EQ(kept(), 16u - 1);
}

}  // namespace
}  // namespace sessioncast::test
