// The end of a session, and questions to which several threads have an end at once.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "control/error_detail.h"
#include "tests/control/broker_fixture.h"

namespace sessioncast::test {
namespace {

using control::EventOf;

v1::Event ErrorEvent(const std::string& session_id) {
  v1::Event event = FinalErrorEvent(session_id);
  event.mutable_error()->clear_final();
  return event;
}

v1::Event CompletedProgress(const std::string& session_id) {
  v1::Event event = ProgressEvent(session_id, 100);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_COMPLETED);
  return event;
}

v1::Event ExpiredProgress(const std::string& session_id) {
  v1::Event event = ProgressEvent(session_id, 100);
  event.mutable_progress()->set_status(v1::SESSION_STATUS_EXPIRED);
  return event;
}

class SessionEndTest : public BrokerTest {
 protected:
  v1::SessionStatus Status() { return Snapshot("s1")->summary.status(); }
};

TEST_F(SessionEndTest, CompletedAndAFinalErrorEndASession) {
  for (const auto& [id, end, status] :
       {std::tuple("a", CompletedEvent("a"), v1::SESSION_STATUS_COMPLETED),
        std::tuple("b", FinalErrorEvent("b"), v1::SESSION_STATUS_FAILED)}) {
    ASSERT_TRUE(Publish(end).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(Publish(CustomEvent(id, "late")).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(Publish(end).status()));
    EXPECT_TRUE(Read(id, {})->ended);
    EXPECT_EQ(Snapshot(id)->summary.status(), status);
  }
}

TEST_F(SessionEndTest, AnErrorThatIsNotFinalAndAProgressThatIsCompletedEndNothing) {
  ASSERT_TRUE(Publish(ErrorEvent("s1")).ok());
  ASSERT_TRUE(Publish(CompletedProgress("s1")).ok());
  EXPECT_EQ(Status(), v1::SESSION_STATUS_COMPLETED);
  EXPECT_FALSE(Read("s1", {})->ended);
  EXPECT_TRUE(Publish(CustomEvent("s1", "x")).ok());
}

TEST_F(SessionEndTest, NoPublisherCanSayThatASessionExpired) {
  EXPECT_TRUE(absl::IsInvalidArgument(Publish(ExpiredProgress("s1")).status()));
  EXPECT_TRUE(absl::IsNotFound(Snapshot("s1").status()));
}

TEST_F(SessionEndTest, ALatePublishWithAKnownKeyIsADuplicateAlsoOfTheEndItself) {
  const auto first = Publish(ProgressEvent("s1", 1), "first");
  const auto end = Publish(CompletedEvent("s1"), "end");
  for (int restarts = 0; restarts < 2; ++restarts) {
    EXPECT_TRUE(Publish(ProgressEvent("s1", 1), "first")->duplicate);
    EXPECT_EQ(Publish(CompletedEvent("s1"), "end")->position.sequence(), 2u);
    EXPECT_TRUE(absl::IsFailedPrecondition(Publish(ProgressEvent("s1", 2), "third").status()));
    Restart();
  }
}

TEST_F(SessionEndTest, TheEndAndWhatItCancelsAreOneBatchAndNoLimitFiresAfterIt) {
  v1::Event limited = QuestionEvent("s1", "c1");
  limited.mutable_clarification()->mutable_time_limit()->set_seconds(3'600);
  limited.mutable_clarification()->set_default_response("no");
  ASSERT_TRUE(Publish(limited).ok());
  ASSERT_TRUE(Publish(QuestionEvent("s1", "c2")).ok());
  ASSERT_TRUE(End("c2", v1::CLARIFICATION_STATUS_ANSWERED).ok());
  ASSERT_TRUE(Publish(QuestionEvent("s1", "c3")).ok());
  store_.Hold();
  Result<Published> end;
  broker_->Publish(CompletedEvent("s1"), "", end.Done());
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_TRUE(absl::IsUnavailable(end.Get().status()));
  store_.Heal();
  EXPECT_EQ(Read("s1", {})->events.size(), 4u);  // nothing was cancelled without the end

  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  const auto page = Read("s1", {});
  ASSERT_EQ(page->events.size(), 7u);
  for (const auto& [at, id] : {std::pair(4, "c1"), std::pair(5, "c3")}) {
    const v1::Clarification cancelled = EventOf(*page->events[at]).clarification();
    EXPECT_EQ(cancelled.clarification_id(), id);
    EXPECT_EQ(cancelled.status(), v1::CLARIFICATION_STATUS_CANCELLED);
    EXPECT_FALSE(cancelled.has_response());
  }
  EXPECT_TRUE(EventOf(*page->events[6]).has_completed());
  const auto deadlines = store_.DueDeadlines(absl::InfiniteFuture(), 10);
  ASSERT_EQ(deadlines->size(), 1u);
  EXPECT_TRUE((*deadlines)[0].is_of_session());
  const auto late = End("c1", v1::CLARIFICATION_STATUS_ANSWERED);
  EXPECT_TRUE(absl::IsAlreadyExists(late.status()));
  EXPECT_EQ(control::DetailOf(late.status())->winner().status(),
            v1::CLARIFICATION_STATUS_CANCELLED);
}

TEST_F(SessionEndTest, AnEndThatIsNotDurableYetRefusesWhatComesBehindItOnceItIs) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  store_.Hold();
  Result<Published> end;
  Result<Published> late;
  broker_->Publish(CompletedEvent("s1"), "", end.Done());
  broker_->Publish(CustomEvent("s1", "x"), "", late.Done());
  EXPECT_FALSE(Read("s1", {})->ended);
  store_.LetGo(Fault::kNone);
  EXPECT_TRUE(end.Get().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(late.Get().status()));
}

// Questions of one session, one after the other, to each of which threads have an end at once.
class ManyEndsTest : public BrokerTest {
 protected:
  // Each thread calls its function at the same time as the others.
  static void AtOnce(const std::vector<std::function<void()>>& calls) {
    std::atomic<size_t> ready{0};
    std::vector<std::thread> threads;
    for (const std::function<void()>& call : calls) {
      threads.emplace_back([&ready, &call, all = calls.size()] {
        ++ready;
        while (ready < all) std::this_thread::yield();
        call();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // What came of an end; all of one question must agree on the winner.
  struct Outcome {
    bool won = false;
    v1::Clarification winner;
  };
  void EndAs(const std::string& session_id, v1::ClarificationStatus status,
             const std::string& response, Outcome& outcome) {
    Result<Published> result;
    std::optional<std::string> said;
    if (status == v1::CLARIFICATION_STATUS_ANSWERED) said = response;
    broker_->EndClarification({session_id, "c", status, said}, result.Done());
    const auto ended = result.Get();
    outcome.won = ended.ok();
    if (outcome.won) return;
    ASSERT_TRUE(absl::IsAlreadyExists(ended.status())) << ended.status();
    outcome.winner = control::DetailOf(ended.status())->winner();
  }
  std::vector<v1::Event> EventsOf(const std::string& session_id) {
    std::vector<v1::Event> events;
    const auto page = Read(session_id, {});
    for (const StoredEventPtr& event : page->events) events.push_back(EventOf(*event));
    return events;
  }

  static constexpr int kRounds = 200;
};

TEST_F(ManyEndsTest, OfManyAnswersOneWinsAndTheOthersLearnWhich) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "s" + std::to_string(round);
    ASSERT_TRUE(Publish(QuestionEvent(id, "c")).ok());
    std::vector<Outcome> outcomes(6);
    std::vector<std::function<void()>> calls;
    for (size_t n = 0; n < outcomes.size(); ++n) {
      calls.push_back([this, id, n, &outcomes] {
        EndAs(id, v1::CLARIFICATION_STATUS_ANSWERED, std::to_string(n), outcomes[n]);
      });
    }
    AtOnce(calls);
    const std::vector<v1::Event> events = EventsOf(id);
    ASSERT_EQ(events.size(), 2u);
    const std::string winner = events[1].clarification().response();
    for (size_t n = 0; n < outcomes.size(); ++n) {
      EXPECT_EQ(outcomes[n].won, std::to_string(n) == winner);
      if (!outcomes[n].won) {
        EXPECT_EQ(outcomes[n].winner.response(), winner);
      }
    }
  }
}

TEST_F(ManyEndsTest, OfAnAnswerAndTheLimitOneWinsAndNothingIsLeftInTheIndex) {
  const auto now = std::make_shared<std::atomic<int64_t>>(1'000'000);
  options_.clock = [now] { return absl::FromUnixSeconds(*now); };
  options_.deadlines.pause_ms_max = 1;
  Restart();
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "s" + std::to_string(round);
    v1::Event question = QuestionEvent(id, "c");
    question.mutable_clarification()->mutable_time_limit()->set_seconds(10);
    question.mutable_clarification()->set_default_response("default");
    ASSERT_TRUE(Publish(question).ok());
    Reader reader(*broker_, id);
    Outcome answer;
    AtOnce({[&] { EndAs(id, v1::CLARIFICATION_STATUS_ANSWERED, "answer", answer); },
            [&] { *now += 10; }});
    reader.WaitFor(2);
    const std::vector<v1::Event> events = EventsOf(id);
    ASSERT_EQ(events.size(), 2u);
    const v1::Clarification& end = events[1].clarification();
    EXPECT_EQ(end.response(), answer.won ? "answer" : "default");
    EXPECT_EQ(end.status(),
              answer.won ? v1::CLARIFICATION_STATUS_ANSWERED : v1::CLARIFICATION_STATUS_EXPIRED);
  }
  const auto deadlines = store_.DueDeadlines(absl::InfiniteFuture(), 10'000);
  EXPECT_EQ(deadlines->size(), static_cast<size_t>(kRounds));
  for (const control::Deadline& deadline : *deadlines) EXPECT_TRUE(deadline.is_of_session());
}

TEST_F(ManyEndsTest, ANewAskBesideTheAnswerFindsTheSameQuestionAndTheAnswer) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "s" + std::to_string(round);
    ASSERT_TRUE(Publish(QuestionEvent(id, "c")).ok());
    Outcome answer;
    absl::StatusOr<Published> asked;
    AtOnce({[&] { EndAs(id, v1::CLARIFICATION_STATUS_ANSWERED, "answer", answer); },
            [&] {
              Result<Published> result;
              broker_->Ask(QuestionEvent(id, "c"), result.Done());
              asked = result.Get();
            }});
    EXPECT_TRUE(answer.won);
    ASSERT_TRUE(asked.ok()) << asked.status();
    EXPECT_TRUE(asked->duplicate);
    Result<StoredEventPtr> found;
    broker_->FindClarification(id, "c", found.Done());
    EXPECT_EQ(EventOf(**found.Get()).clarification().response(), "answer");
    EXPECT_EQ(EventsOf(id).size(), 2u);
  }
}

TEST_F(ManyEndsTest, OfACancelTheEndOfTheSessionAndAnAnswerOneEndsTheQuestion) {
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "s" + std::to_string(round);
    ASSERT_TRUE(Publish(QuestionEvent(id, "c")).ok());
    Outcome answer;
    Outcome cancel;
    absl::StatusOr<Published> end;
    AtOnce({[&] { EndAs(id, v1::CLARIFICATION_STATUS_ANSWERED, "answer", answer); },
            [&] { EndAs(id, v1::CLARIFICATION_STATUS_CANCELLED, "", cancel); },
            [&] { end = Publish(CompletedEvent(id)); }});
    ASSERT_TRUE(end.ok()) << end.status();
    const std::vector<v1::Event> events = EventsOf(id);
    ASSERT_EQ(events.size(), 3u);
    EXPECT_TRUE(events[2].has_completed());
    EXPECT_FALSE(answer.won && cancel.won);
    const v1::Clarification& ended = events[1].clarification();
    EXPECT_EQ(ended.status() == v1::CLARIFICATION_STATUS_ANSWERED, answer.won);
    for (const Outcome& outcome : {answer, cancel}) {
      if (!outcome.won) {
        EXPECT_EQ(outcome.winner.status(), ended.status());
      }
    }
  }
}

}  // namespace
}  // namespace sessioncast::test
