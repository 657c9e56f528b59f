// The Publisher against a real control whose store goes wrong. Drops and restarts of whole processes
// are in tests/sdk.
#include "sessioncast/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "tests/client_sdk/faulty_control.h"
#include "tests/control/events.h"

namespace sessioncast::test {
namespace {

using testing::ElementsAre;
using std::chrono::milliseconds;

// Long enough for one attempt on a machine that has much to do.
constexpr milliseconds kShort{1'500};

// What was told of the events, in the order in which it was: a sequence, or the code of an error
// below 0.
class Outcomes {
 public:
  std::function<void(const Publisher::Outcome&)> Next() {
    return [this](const Publisher::Outcome& outcome) {
      const absl::MutexLock lock(&mutex_);
      told_.push_back(outcome.ok() ? static_cast<int>(outcome->position().sequence())
                                   : -static_cast<int>(outcome.status().code()));
    };
  }
  std::vector<int> told() const {
    const absl::MutexLock lock(&mutex_);
    return told_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<int> told_ ABSL_GUARDED_BY(mutex_);
};

constexpr int kEnded = -static_cast<int>(absl::StatusCode::kFailedPrecondition);
constexpr int kLater = -static_cast<int>(absl::StatusCode::kResourceExhausted);
constexpr int kUnavailable = -static_cast<int>(absl::StatusCode::kUnavailable);
constexpr int kDeadlineExceeded = -static_cast<int>(absl::StatusCode::kDeadlineExceeded);

class PublisherTest : public testing::Test {
 protected:
  PublisherOptions Options(milliseconds publish_timeout = milliseconds(30'000)) const {
    PublisherOptions options;
    options.control = control_.address();
    options.publish_timeout = publish_timeout;
    options.retry.backoff_min = milliseconds(5);
    options.retry.backoff_max = milliseconds(50);
    return options;
  }
  // Until the store was told to append so often.
  void AwaitAppends(int count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (control_.store().appends() < count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  // The texts of a session's events, in order.
  std::vector<std::string> Log(const std::string& session_id, size_t count) {
    std::vector<std::string> texts;
    Client client({.control = control_.address()});
    EXPECT_TRUE(client
                    .Stream(session_id, std::nullopt,
                            [&](const v1::Event& event) {
                              texts.push_back(
                                  event.custom().data().fields().at("text").string_value());
                              return texts.size() < count;
                            })
                    .ok());
    return texts;
  }

  FaultyControl control_;
  Outcomes outcomes_;
};

TEST_F(PublisherTest, AnUnknownOutcomeIsPublishedAgainUnderItsKeyAndStoredOnce) {
  Publisher publisher(Options());
  control_.store().Hold();
  std::optional<Publisher::Outcome> outcome;
  std::thread thread([&] { outcome = publisher.Publish(CustomEvent("s", "a")); });
  control_.store().LetGo(Fault::kStoresItButFails);
  thread.join();
  control_.store().Heal();
  ASSERT_TRUE((*outcome).ok()) << (*outcome).status();
  EXPECT_EQ((*outcome)->position().sequence(), 1u);
  ASSERT_TRUE(publisher.Publish(CustomEvent("s", "b")).ok());
  EXPECT_THAT(Log("s", 2), ElementsAre("a", "b"));
}

TEST_F(PublisherTest, ManyKeepTheirOrderOverAFailureInTheirMiddle) {
  Publisher publisher(Options());
  ASSERT_TRUE(publisher.Publish(CustomEvent("s", "0")).ok());
  control_.store().Hold();
  std::vector<std::string> expected = {"0"};
  for (int n = 1; n <= 500; ++n) {
    expected.push_back(std::to_string(n));
    publisher.PublishSoon(CustomEvent("s", expected.back()), outcomes_.Next());
    if (n == 200) control_.store().LetGo(Fault::kLosesTheGroup);
    if (n == 300) {
      AwaitAppends(2);
      control_.store().Heal();
    }
  }
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_EQ(Log("s", 501), expected);
  std::vector<int> sequences;
  for (int n = 2; n <= 501; ++n) sequences.push_back(n);
  EXPECT_EQ(outcomes_.told(), sequences);
}

TEST_F(PublisherTest, WhatIsRefusedForGoodIsToldOnceAndTheRestGoesOn) {
  Publisher publisher(Options());
  publisher.PublishSoon(CompletedEvent("s"), outcomes_.Next());
  publisher.PublishSoon(CustomEvent("s", "late"), outcomes_.Next());
  publisher.PublishSoon(CustomEvent("other", "a"), outcomes_.Next());
  EXPECT_EQ(publisher.Flush().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(outcomes_.told(), ElementsAre(1, kEnded, 1));
  EXPECT_TRUE(publisher.Flush().ok());
}

TEST_F(PublisherTest, WhatControlCannotTakeForNowIsGivenUpAfterItsTime) {
  control_.store().Hold();
  Publisher filler(Options());
  filler.PublishSoon(CustomEvent("s", "a"));
  control_.store().LetGo(Fault::kIsFull);
  Publisher publisher(Options(kShort));
  publisher.PublishSoon(CustomEvent("s2", "b"), outcomes_.Next());
  const absl::Status flushed = publisher.Flush();
  EXPECT_EQ(flushed.code(), absl::StatusCode::kResourceExhausted) << flushed;
  EXPECT_FALSE(IsUnknownOutcome(flushed));
  EXPECT_THAT(flushed.message(), testing::HasSubstr("given up after 1500 ms: told to be full"));
  EXPECT_EQ(publisher.Publish(CustomEvent("s2", "c")).status().code(),
            absl::StatusCode::kResourceExhausted);
  control_.store().MakeRoom();
  publisher.PublishSoon(CustomEvent("s2", "d"), outcomes_.Next());
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_THAT(outcomes_.told(), ElementsAre(kLater, 1));
  EXPECT_TRUE(filler.Flush().ok());
}

TEST_F(PublisherTest, WhatHasNoAnswerIsGivenUpAfterItsTimeAndTheRestGoesOn) {
  Publisher publisher(Options(kShort));
  ASSERT_TRUE(publisher.Publish(CustomEvent("other", "connected")).ok());
  control_.store().Hold();
  publisher.PublishSoon(CustomEvent("s", "a"), outcomes_.Next());
  control_.store().WaitForAHeldCommit();
  EXPECT_EQ(publisher.Flush().code(), absl::StatusCode::kDeadlineExceeded);
  control_.store().LetGo(Fault::kNone);
  publisher.PublishSoon(CustomEvent("s", "b"), outcomes_.Next());
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_THAT(Log("s", 2), ElementsAre("a", "b"));
}

TEST_F(PublisherTest, WhileControlIsAwayItWaitsAndGivesUpWhenTheTimeHasPassed) {
  control_.Stop();
  Publisher patient(Options());
  patient.PublishSoon(CustomEvent("s", "a"), outcomes_.Next());
  Publisher publisher(Options(kShort));
  publisher.PublishSoon(CustomEvent("s", "b"), outcomes_.Next());
  // The last attempt's: that the time was over before there was a connection, or that there is none.
  EXPECT_TRUE(IsUnknownOutcome(publisher.Flush()));
  EXPECT_TRUE(IsUnknownOutcome(publisher.Publish(CustomEvent("s", "c")).status()));
  control_.Start();
  EXPECT_TRUE(patient.Flush().ok());
  EXPECT_THAT(outcomes_.told(), ElementsAre(testing::AnyOf(kUnavailable, kDeadlineExceeded), 1));
}

TEST_F(PublisherTest, PublishSoonWaitsWhileThereIsNoRoomInFlight) {
  PublisherOptions options = Options();
  options.in_flight_events_max = 2;
  Publisher publisher(options);
  control_.store().Hold();
  publisher.PublishSoon(CustomEvent("s", "a"));
  publisher.PublishSoon(CustomEvent("s", "b"));
  absl::Notification third;
  std::thread thread([&] {
    publisher.PublishSoon(CustomEvent("s", "c"));
    third.Notify();
  });
  EXPECT_FALSE(third.WaitForNotificationWithTimeout(absl::Milliseconds(200)));
  control_.store().LetGo(Fault::kNone);
  EXPECT_TRUE(third.WaitForNotificationWithTimeout(absl::Seconds(30)));
  thread.join();
  EXPECT_TRUE(publisher.Flush().ok());
}

TEST_F(PublisherTest, OneEventAlwaysFits) {
  PublisherOptions options = Options();
  options.in_flight_bytes_max = 10;
  Publisher publisher(options);
  for (const char* text : {"a", "b", "c"}) {
    publisher.PublishSoon(CustomEvent("s", text), outcomes_.Next());
  }
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_THAT(outcomes_.told(), ElementsAre(1, 2, 3));
}

TEST_F(PublisherTest, AnOutcomeMayPublishMoreThoughThereIsNoRoom) {
  PublisherOptions options = Options();
  options.in_flight_events_max = 1;
  Publisher publisher(options);
  publisher.PublishSoon(CustomEvent("s", "a"), [&](const Publisher::Outcome&) {
    for (const char* text : {"b", "c"}) publisher.PublishSoon(CustomEvent("s", text));
  });
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_TRUE(publisher.Flush().ok());
  EXPECT_THAT(Log("s", 3), ElementsAre("a", "b", "c"));
}

TEST_F(PublisherTest, CloseTellsWhatIsInFlightAndLaterCallsSaySo) {
  Publisher publisher(Options());
  for (int n = 0; n < 100; ++n) publisher.PublishSoon(CustomEvent("s", "x"), outcomes_.Next());
  publisher.Close();
  EXPECT_EQ(outcomes_.told().size(), 100u);
  EXPECT_EQ(outcomes_.told().back(), 100);
  EXPECT_EQ(publisher.Publish(CustomEvent("s", "late")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(PublisherTest, AQuestionIsHeldOverARestartAndAskedOnce) {
  Publisher publisher(Options());
  std::optional<absl::StatusOr<v1::AskClarificationResponse>> asked;
  std::thread thread([&] {
    v1::AskClarificationRequest request;
    request.set_session_id("s");
    request.set_question("Which?");
    asked = publisher.AskClarification(request);
  });
  std::string clarification_id;
  Client client({.control = control_.address()});
  EXPECT_TRUE(client
                  .Stream("s", std::nullopt,
                          [&](const v1::Event& event) {
                            clarification_id = event.clarification().clarification_id();
                            return false;
                          })
                  .ok());
  control_.Stop();
  control_.Start();
  EXPECT_TRUE(publisher.AnswerClarification("s", clarification_id, "this").ok());
  thread.join();
  ASSERT_TRUE((*asked).ok()) << (*asked).status();
  EXPECT_EQ((*asked)->response(), "this");
  EXPECT_EQ(publisher.AnswerClarification("s", clarification_id, "that").code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ((*publisher.GetSession("s")).position().sequence(), 2u);
}

TEST_F(PublisherTest, AnAnswerWhoseOutcomeWasUnknownCountsWhenItWasTheFirst) {
  Publisher publisher(Options());
  ASSERT_TRUE(publisher.Publish(QuestionEvent("s", "q")).ok());
  control_.store().Hold();
  absl::Status answered;
  std::thread thread([&] { answered = publisher.AnswerClarification("s", "q", "this"); });
  control_.store().LetGo(Fault::kStoresItButFails);
  thread.join();
  EXPECT_TRUE(answered.ok()) << answered;
}

}  // namespace
}  // namespace sessioncast::test
