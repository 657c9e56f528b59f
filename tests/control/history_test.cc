// History: positions, keys, heads, clarifications, windows; and random operations against a naive
// model.
#include "control/history.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>
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
  ASSERT_EQ(asked.deadlines_set.size(), 1u);
  EXPECT_EQ(asked.deadlines_set[0].time, absl::FromUnixSeconds(105));
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
  EXPECT_TRUE(absl::IsResourceExhausted(Append(QuestionEvent(kSession, "one-more")).refusal));
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

// --- Against a naive model
// ---------------------------------------------------------------------------------------------

// What a history should be: plain lists, looked through from the beginning each time.
struct NaiveEvent {
  v1::Event published;
  std::string key;
};

class NaiveLog {
 public:
  std::optional<uint64_t> SequenceOfKey(const std::string& key) const {
    for (size_t i = 0; i < log.size(); ++i) {
      if (!key.empty() && log[i].key == key) return i + 1;
    }
    return std::nullopt;
  }
  bool Ended() const { return !log.empty() && (log.back().published.has_completed()); }
  // The last event of it, as sequence; 0: none.
  uint64_t LastOf(const std::string& clarification_id) const {
    for (size_t i = log.size(); i > 0; --i) {
      if (log[i - 1].published.clarification().clarification_id() == clarification_id) return i;
    }
    return 0;
  }
  bool IsOpen(const std::string& clarification_id) const {
    const uint64_t last = LastOf(clarification_id);
    return last != 0 &&
           log[last - 1].published.clarification().status() == v1::CLARIFICATION_STATUS_PENDING;
  }

  std::vector<NaiveEvent> log;  // all that is assigned
  size_t durable = 0;
};

class RandomHistory {
 public:
  explicit RandomHistory(uint32_t seed) : random_(seed) {}

  void Step() {
    switch (Pick(8)) {
      case 0:
      case 1:
        return Publish(CustomEvent(kSession, std::to_string(Pick(3))), Key());
      case 2:
        return Publish(ProgressEvent(kSession, Pick(101)), Key());
      case 3:
        return Ask(Name());
      case 4:
        return AnswerOne(Name());
      case 5:
        return Commit();
      case 6:
        return Pick(4) == 0 ? Fail() : Commit();
      default:
        if (Pick(40) == 0) return End();
        return Publish(ResultEvent(kSession, Name(), v1::MODEL_RESULT_STATUS_COMPLETED, Name()),
                       Key());
    }
  }

  void Check() {
    ASSERT_EQ(history_.assigned(), model_.log.size());
    ASSERT_EQ(history_.top().sequence(), model_.durable);
    const Page page =
        history_.Read(0, PageLimits{.bytes_max = 1 << 24, .events_scanned_max = 1 << 20});
    ASSERT_EQ(page.events.size(), model_.durable);
    for (size_t i = 0; i < page.events.size(); ++i) {
      const v1::Event event = EventOf(*page.events[i]);
      ASSERT_EQ(event.position().sequence(), i + 1);
      ASSERT_EQ(event.kind_case(), model_.log[i].published.kind_case());
      ASSERT_EQ(event.custom().ShortDebugString(),
                model_.log[i].published.custom().ShortDebugString());
      ASSERT_EQ(event.clarification().status(), model_.log[i].published.clarification().status());
    }
  }

 private:
  uint32_t Pick(uint32_t below) {
    return std::uniform_int_distribution<uint32_t>(0, below - 1)(random_);
  }
  std::string Name() { return "n" + std::to_string(Pick(6)); }
  std::string Key() { return Pick(2) == 0 ? "" : "k" + std::to_string(Pick(20)); }
  Stamp Now() {
    return {absl::FromUnixSeconds(1'000 + Pick(100)), "epoch-" + std::to_string(Pick(100))};
  }

  void Publish(v1::Event event, const std::string& key) {
    const Answer answer = history_.Append(event, key, Now());
    if (const auto known = model_.SequenceOfKey(key); known.has_value()) {
      ASSERT_EQ(answer.rests_on, *known);
      const bool same =
          model_.log[*known - 1].published.SerializeAsString() == event.SerializeAsString();
      ASSERT_EQ(answer.outcome, same ? Outcome::kDuplicate : Outcome::kRefused);
    } else if (model_.Ended()) {
      ASSERT_TRUE(absl::IsFailedPrecondition(answer.refusal));
      ASSERT_EQ(answer.rests_on, model_.log.size());
    } else {
      ASSERT_EQ(answer.position.sequence(), model_.log.size() + 1);
      model_.log.push_back({std::move(event), key});
    }
  }

  void Ask(const std::string& id) {
    const Answer answer = history_.Ask(QuestionEvent(kSession, id), Now());
    if (const uint64_t last = model_.LastOf(id); last != 0) {
      ASSERT_EQ(answer.outcome, Outcome::kDuplicate);
      ASSERT_EQ(answer.rests_on, last);
    } else if (model_.Ended()) {
      ASSERT_TRUE(absl::IsFailedPrecondition(answer.refusal));
    } else {
      model_.log.push_back({QuestionEvent(kSession, id), ""});
      ASSERT_EQ(answer.position.sequence(), model_.log.size());
    }
  }

  void AnswerOne(const std::string& id) {
    const Answer answer = history_.EndClarification(AnswerTo(id, "x"), Now());
    if (model_.IsOpen(id)) {
      PushEnd(id, v1::CLARIFICATION_STATUS_ANSWERED);
      ASSERT_EQ(answer.position.sequence(), model_.log.size());
    } else {
      ASSERT_EQ(answer.outcome, Outcome::kRefused);
      ASSERT_EQ(answer.rests_on, model_.LastOf(id));
    }
  }

  void PushEnd(const std::string& id, v1::ClarificationStatus status) {
    v1::Event ended = QuestionEvent(kSession, id);
    ended.mutable_clarification()->set_status(status);
    model_.log.push_back({std::move(ended), ""});
  }

  void End() {
    const Answer answer = history_.Append(CompletedEvent(kSession), "", Now());
    if (model_.Ended()) {
      ASSERT_EQ(answer.outcome, Outcome::kRefused);
      return;
    }
    std::map<uint64_t, std::string> open;
    for (int i = 0; i < 6; ++i) {
      const std::string id = "n" + std::to_string(i);
      if (model_.IsOpen(id)) open[model_.LastOf(id)] = id;
    }
    for (const auto& [sequence, id] : open) PushEnd(id, v1::CLARIFICATION_STATUS_CANCELLED);
    model_.log.push_back({CompletedEvent(kSession), ""});
    ASSERT_EQ(answer.position.sequence(), model_.log.size());
    ASSERT_EQ(answer.appended.size(), open.size() + 1);
  }

  void Commit() {
    model_.durable += Pick(static_cast<uint32_t>(model_.log.size() - model_.durable) + 1);
    history_.Durable(model_.durable);
  }

  void Fail() {
    if (model_.log.size() == model_.durable) return;
    const size_t first =
        model_.durable + 1 + Pick(static_cast<uint32_t>(model_.log.size() - model_.durable));
    history_.Drop(first);
    model_.log.resize(first - 1);
  }

  std::mt19937 random_;
  NaiveLog model_;
  History history_{kSession, HistoryOptions{}};
};

TEST(HistoryModelTest, RandomOperationsGiveWhatTheNaiveModelGives) {
  const char* given = std::getenv("SESSIONCAST_SEED");
  const uint32_t first =
      given == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(given, nullptr, 10));
  const uint32_t seeds = given == nullptr ? 300 : 1;
  for (uint32_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("SESSIONCAST_SEED=" + std::to_string(seed));
    RandomHistory history(seed);
    for (int step = 0; step < 200; ++step) {
      history.Step();
      if (testing::Test::HasFatalFailure()) return;
    }
    history.Check();
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sessioncast::test
