// History against a naive model: random operations, failures and restarts, with limits so small
// that each of them is met.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/history.h"
#include "tests/control/events.h"

namespace sessioncast::test {
namespace {

using control::Answer;
using control::History;
using control::HistoryOptions;
using control::Page;
using control::PageLimits;
using control::Stamp;
using control::StoredEventPtr;
using Outcome = control::Answer::Outcome;

constexpr char kSession[] = "s1";

// What a history should be: a plain list, looked through from the beginning each time. Nothing
// leaves it: what is kept is a number.
struct NaiveEvent {
  v1::Event published;
  std::string key;
};

struct NaiveFold {
  std::vector<uint64_t> sequences;
  uint32_t clarifications_left_out = 0;
  uint32_t results_left_out = 0;
};

class NaiveLog {
 public:
  // By the events from `first` on, which are kept.
  std::optional<uint64_t> SequenceOfKey(const std::string& key, uint64_t first) const {
    for (uint64_t sequence = first; sequence <= log.size(); ++sequence) {
      if (!key.empty() && At(sequence).key == key) return sequence;
    }
    return std::nullopt;
  }
  bool Ended() const { return !log.empty() && log.back().published.has_completed(); }

  // What the fold of events 1 to `through` keeps.
  NaiveFold FoldOf(uint64_t through, size_t entries_max) const {
    NaiveFold fold;
    std::vector<uint64_t>& kept = fold.sequences;
    for (uint64_t sequence = 1; sequence <= through; ++sequence) {
      if (SlotOf(sequence).empty()) continue;
      kept.erase(
          std::remove_if(kept.begin(), kept.end(),
                         [this, sequence](uint64_t k) { return SlotOf(k) == SlotOf(sequence); }),
          kept.end());
      kept.push_back(sequence);
      while (kept.size() > entries_max) {
        if (TakeFirst(kept, [this](uint64_t k) { return IsClosed(k); })) {
          ++fold.clarifications_left_out;
        } else if (TakeFirst(kept,
                             [this](uint64_t k) { return At(k).published.has_model_result(); })) {
          ++fold.results_left_out;
        } else {
          break;
        }
      }
    }
    return fold;
  }

  const NaiveEvent& At(uint64_t sequence) const { return log[sequence - 1]; }
  bool IsClosed(uint64_t sequence) const {
    const v1::Event& event = At(sequence).published;
    return event.has_clarification() &&
           event.clarification().status() != v1::CLARIFICATION_STATUS_PENDING;
  }

  std::vector<NaiveEvent> log;  // all that is assigned
  uint64_t durable = 0;

 private:
  std::string SlotOf(uint64_t sequence) const {
    const v1::Event& event = At(sequence).published;
    if (event.has_progress()) return "progress";
    if (event.has_completed()) return "completed";
    if (event.has_model_result()) return "result " + event.model_result().model_name();
    if (event.has_clarification()) return "question " + event.clarification().clarification_id();
    return "";
  }
  template <typename Is>
  static bool TakeFirst(std::vector<uint64_t>& kept, Is is) {
    const auto found = std::find_if(kept.begin(), kept.end(), is);
    if (found == kept.end()) return false;
    kept.erase(found);
    return true;
  }
};

// Random operations on a history, a naive model and what a store would have.
class RandomHistory {
 public:
  explicit RandomHistory(uint32_t seed) : random_(seed) {
    options_.kept.events_max = 8 + Pick(40);
    options_.kept.bytes_max = Pick(2) == 0 ? 100'000 : 2'000;
    options_.kept.age_ms_max = Pick(2) == 0 ? 1'000'000'000 : 100'000;
    options_.fold.entries_max = Pick(2) == 0 ? 100 : 5;
    options_.window_events_max = Pick(2) == 0 ? 1'000 : 20;
    history_.emplace(kSession, options_);
  }

  void Step() {
    seconds_ += Pick(3);
    switch (Pick(9)) {
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
      case 7:
        return Pick(10) == 0 ? Restart() : Commit();
      default:
        if (Pick(60) == 0) return End();
        return Publish(ResultEvent(kSession, Name(), v1::MODEL_RESULT_STATUS_COMPLETED, Name()),
                       Key());
    }
  }

  void Check() {
    ASSERT_EQ(history_->assigned(), model_.log.size());
    ASSERT_EQ(history_->top().sequence(), model_.durable);
    CheckEvents();
    CheckFold();
  }

 private:
  struct Append {
    Answer answer;
    control::StoredSession session;
  };

  uint32_t Pick(uint32_t below) {
    return std::uniform_int_distribution<uint32_t>(0, below - 1)(random_);
  }
  std::string Name() { return "n" + std::to_string(Pick(8)); }
  std::string Key() { return Pick(2) == 0 ? "" : "k" + std::to_string(Pick(20)); }
  // Now and then the clock goes back.
  Stamp Now() {
    return {absl::FromUnixSeconds(seconds_ - Pick(5)), "epoch-" + std::to_string(Pick(100))};
  }
  uint64_t AssignedFirst() const { return history_->AssignedSession().first_sequence; }

  // The last event of it that the fold has, as sequence; 0: none.
  uint64_t LastOf(const std::string& clarification_id) const {
    for (const uint64_t sequence :
         model_.FoldOf(model_.log.size(), options_.fold.entries_max).sequences) {
      if (model_.At(sequence).published.clarification().clarification_id() == clarification_id)
        return sequence;
    }
    return 0;
  }
  bool IsOpen(const std::string& clarification_id) const {
    const uint64_t last = LastOf(clarification_id);
    return last != 0 && !model_.IsClosed(last);
  }

  void Publish(v1::Event event, const std::string& key) {
    const uint64_t first = AssignedFirst();
    const Answer answer = history_->Append(event, key, Now());
    if (const auto known = model_.SequenceOfKey(key, first); known.has_value()) {
      ASSERT_EQ(answer.rests_on, *known);
      const bool same =
          model_.At(*known).published.SerializeAsString() == event.SerializeAsString();
      ASSERT_EQ(answer.outcome, same ? Outcome::kDuplicate : Outcome::kRefused);
    } else if (model_.Ended()) {
      ASSERT_TRUE(absl::IsFailedPrecondition(answer.refusal));
      ASSERT_EQ(answer.rests_on, model_.log.size());
    } else {
      ASSERT_EQ(answer.position.sequence(), model_.log.size() + 1);
      model_.log.push_back({std::move(event), key});
      Appended(answer, first);
    }
  }

  void Ask(const std::string& id) {
    const uint64_t first = AssignedFirst();
    const Answer answer = history_->Ask(QuestionEvent(kSession, id), Now());
    if (const uint64_t last = LastOf(id); last != 0) {
      ASSERT_EQ(answer.outcome, Outcome::kDuplicate);
      ASSERT_EQ(answer.rests_on, last);
    } else if (model_.Ended()) {
      ASSERT_TRUE(absl::IsFailedPrecondition(answer.refusal));
    } else {
      model_.log.push_back({QuestionEvent(kSession, id), ""});
      ASSERT_EQ(answer.position.sequence(), model_.log.size());
      Appended(answer, first);
    }
  }

  void AnswerOne(const std::string& id) {
    const uint64_t first = AssignedFirst();
    const uint64_t last = LastOf(id);
    const Answer answer =
        history_->EndClarification({kSession, id, v1::CLARIFICATION_STATUS_ANSWERED, "x"}, Now());
    if (IsOpen(id)) {
      PushEnd(id, v1::CLARIFICATION_STATUS_ANSWERED);
      ASSERT_EQ(answer.position.sequence(), model_.log.size());
      Appended(answer, first);
    } else {
      ASSERT_EQ(answer.outcome, Outcome::kRefused);
      ASSERT_EQ(answer.rests_on, last);
    }
  }

  void PushEnd(const std::string& id, v1::ClarificationStatus status) {
    v1::Event ended = QuestionEvent(kSession, id);
    ended.mutable_clarification()->set_status(status);
    model_.log.push_back({std::move(ended), ""});
  }

  void End() {
    const uint64_t first = AssignedFirst();
    const Answer answer = history_->Append(CompletedEvent(kSession), "", Now());
    if (model_.Ended()) {
      ASSERT_EQ(answer.outcome, Outcome::kRefused);
      return;
    }
    std::map<uint64_t, std::string> open;
    for (int i = 0; i < 8; ++i) {
      const std::string id = "n" + std::to_string(i);
      if (IsOpen(id)) open[LastOf(id)] = id;
    }
    for (const auto& [sequence, id] : open) PushEnd(id, v1::CLARIFICATION_STATUS_CANCELLED);
    model_.log.push_back({CompletedEvent(kSession), ""});
    ASSERT_EQ(answer.position.sequence(), model_.log.size());
    ASSERT_EQ(answer.appended.size(), open.size() + 1);
    Appended(answer, first);
  }

  // What must hold of what is kept after an append; `first` was kept before it.
  void Appended(const Answer& answer, uint64_t first) {
    const control::StoredSession session = history_->AssignedSession();
    ASSERT_EQ(session.position.sequence(), model_.log.size());
    ASSERT_GE(session.first_sequence, first);
    ASSERT_EQ(answer.fold.has_value(), session.first_sequence > first);
    const uint64_t kept = model_.log.size() - session.first_sequence + 1;
    ASSERT_GE(kept, answer.appended.size());
    ASSERT_LE(kept, std::max(options_.kept.events_max, answer.appended.size()));
    const bool by_number_alone =
        options_.kept.bytes_max == 100'000 && options_.kept.age_ms_max == 1'000'000'000;
    if (answer.fold.has_value() && by_number_alone) {
      ASSERT_GE(kept, options_.kept.events_max - options_.kept.events_max / 8);
    }
    appends_.push_back({answer, session});
  }

  // Some of what is under way is stored.
  void Commit() {
    for (uint32_t count = Pick(static_cast<uint32_t>(appends_.size()) + 1); count > 0; --count) {
      Append& append = appends_.front();
      std::optional<control::FoldState> fold = std::move(stored_.fold);
      stored_ = append.session;
      stored_.fold = append.answer.fold.has_value() ? append.answer.fold : std::move(fold);
      for (const StoredEventPtr& event : append.answer.appended) events_.push_back(event);
      while (!events_.empty() && events_.front()->sequence < stored_.first_sequence)
        events_.pop_front();
      model_.durable = append.answer.rests_on;
      history_->Durable(model_.durable);
      appends_.pop_front();
    }
  }

  // Some of what is under way is not stored, nor is anything behind it.
  void Fail() {
    if (appends_.empty()) return;
    const size_t left = Pick(static_cast<uint32_t>(appends_.size()));
    const uint64_t first = appends_[left].answer.appended.front()->sequence;
    history_->Drop(first);
    model_.log.resize(first - 1);
    appends_.resize(left);
  }

  void Restart() {
    Check();
    const control::SnapshotView before = history_->Snapshot();
    appends_.clear();
    model_.log.resize(model_.durable);
    history_.emplace(kSession, options_);
    if (model_.durable == 0) return;
    history_->Restore(stored_);
    for (const StoredEventPtr& event : events_) history_->Restore(event);
    ASSERT_EQ(history_->Snapshot().summary.SerializeAsString(), before.summary.SerializeAsString());
    Check();
  }

  void CheckEvents() {
    const uint64_t first = model_.durable == 0 ? 1 : stored_.first_sequence;
    for (uint64_t after = 0; after <= model_.durable + 1; ++after) {
      v1::Position position = history_->top();
      position.set_sequence(after);
      ASSERT_EQ(history_->Has(position), after + 1 >= first && after <= model_.durable) << after;
    }
    uint64_t after = first - 1;
    while (!history_->Holds(after)) ++after;
    const Page page =
        history_->Read(after, PageLimits{.bytes_max = 1 << 24, .events_scanned_max = 1 << 20});
    ASSERT_EQ(page.events.size(), model_.durable - after);
    for (const StoredEventPtr& stored : page.events) {
      ++after;
      const v1::Event event = EventOf(*stored);
      const v1::Event& expected = model_.At(after).published;
      ASSERT_EQ(event.position().sequence(), after);
      ASSERT_EQ(event.kind_case(), expected.kind_case());
      ASSERT_EQ(event.custom().ShortDebugString(), expected.custom().ShortDebugString());
      ASSERT_EQ(event.clarification().status(), expected.clarification().status());
    }
  }

  void CheckFold() {
    const control::SnapshotView view = history_->Snapshot();
    const NaiveFold naive = model_.FoldOf(model_.durable, options_.fold.entries_max);
    std::vector<uint64_t> sequences;
    for (const StoredEventPtr& event : view.events) sequences.push_back(event->sequence);
    ASSERT_EQ(sequences, naive.sequences);
    ASSERT_EQ(view.clarifications_left_out, naive.clarifications_left_out);
    ASSERT_EQ(view.model_results_left_out, naive.results_left_out);
  }

  std::mt19937 random_;
  HistoryOptions options_;
  NaiveLog model_;
  std::optional<History> history_;
  std::deque<Append> appends_;  // under way
  control::StoredSession stored_;
  std::deque<StoredEventPtr> events_;
  int64_t seconds_ = 1'000;
};

TEST(HistoryModelTest, RandomOperationsGiveWhatTheNaiveModelGives) {
  const char* given = std::getenv("SESSIONCAST_SEED");
  const uint32_t first =
      given == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(given, nullptr, 10));
  const uint32_t seeds = given == nullptr ? 300 : 1;
  for (uint32_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("SESSIONCAST_SEED=" + std::to_string(seed));
    RandomHistory history(seed);
    for (int step = 0; step < 300; ++step) {
      history.Step();
      if (testing::Test::HasFatalFailure()) return;
    }
    history.Check();
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace sessioncast::test
