// The SessionStream against a real control. Drops and restarts of whole processes are in tests/sdk.
#include "sessioncast/session_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "sessioncast/publisher.h"
#include "tests/client_sdk/faulty_control.h"
#include "tests/control/events.h"

namespace sessioncast::test {
namespace {

using std::chrono::milliseconds;

class SessionStreamTest : public testing::Test {
 protected:
  SessionStreamOptions Options() const {
    SessionStreamOptions options;
    options.control = control_.address();
    options.retry.backoff_min = milliseconds(5);
    options.retry.backoff_max = milliseconds(50);
    return options;
  }
  void Publish(const std::string& session_id, int events) {
    Publisher publisher({.control = control_.address()});
    for (int n = 0; n < events; ++n) publisher.PublishSoon(CustomEvent(session_id, "x"));
    ASSERT_TRUE(publisher.Flush().ok());
  }
  // A sequence; below 0, a resync; 0: the end.
  static int64_t Next(SessionStream& stream) {
    const auto next = stream.Next();
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !*next) return 0;
    if (const auto* event = std::get_if<v1::Event>(&**next)) {
      return static_cast<int64_t>(event->position().sequence());
    }
    return -1 - static_cast<int64_t>(std::get<Resync>(**next).snapshot.position().sequence());
  }

  FaultyControl control_;
};

// What a stream tells of its connection.
class Told {
 public:
  std::function<void(const absl::Status&)> Listener() {
    return [this](const absl::Status& connection) {
      const absl::MutexLock lock(&mutex_);
      told_.push_back(connection);
    };
  }
  // The `index`th, when it is there.
  absl::Status At(size_t index) {
    const absl::MutexLock lock(&mutex_);
    const auto is_there = [&] { return told_.size() > index; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&is_there), absl::Seconds(30))) {
      return absl::DeadlineExceededError("nothing was told");
    }
    return told_[index];
  }
  // Whether nothing more than `count` was told until then.
  bool IsAllUntil(size_t count, absl::Time time) {
    const absl::MutexLock lock(&mutex_);
    const auto is_more = [&] { return told_.size() > count; };
    return !mutex_.AwaitWithDeadline(absl::Condition(&is_more), time);
  }

 private:
  absl::Mutex mutex_;
  std::vector<absl::Status> told_;
};

TEST_F(SessionStreamTest, GivesEachEventOnceOverRestartsOfControl) {
  Publish("s", 5);
  SessionStream stream("s", Options());
  for (int64_t sequence = 1; sequence <= 5; ++sequence) EXPECT_EQ(Next(stream), sequence);
  for (int restart = 1; restart <= 3; ++restart) {
    control_.Stop();
    control_.Start();
    Publish("s", 1);
    EXPECT_EQ(Next(stream), 5 + restart);
  }
  EXPECT_EQ(stream.position().sequence(), 8u);
}

TEST_F(SessionStreamTest, EndsWithItsSessionAndSaysSoAgain) {
  Publish("s", 1);
  Publisher publisher({.control = control_.address()});
  ASSERT_TRUE(publisher.Publish(CompletedEvent("s")).ok());
  SessionStream stream("s", Options());
  EXPECT_EQ(Next(stream), 1);
  EXPECT_EQ(Next(stream), 2);
  EXPECT_EQ(Next(stream), 0);
  EXPECT_EQ(Next(stream), 0);
}

TEST_F(SessionStreamTest, APositionOfAnotherLifeIsAResync) {
  Publish("s", 3);
  SessionStreamOptions options = Options();
  options.after = PositionAt("another0", 2);
  SessionStream stream("s", options);
  EXPECT_EQ(Next(stream), -1 - 3);
  Publish("s", 1);
  EXPECT_EQ(Next(stream), 4);
}

TEST_F(SessionStreamTest, ASessionThatCameBackWithoutItsLogIsAResyncAndBeginsAnew) {
  Publish("s", 3);
  SessionStream stream("s", Options());
  for (int64_t sequence = 1; sequence <= 3; ++sequence) EXPECT_EQ(Next(stream), sequence);
  control_.Stop();
  control_.store().ComeBackWithout("s");
  control_.Start();
  EXPECT_EQ(Next(stream), -1 - 0);
  Publish("s", 1);
  EXPECT_EQ(Next(stream), 1);
}

TEST_F(SessionStreamTest, CloseEndsANextThatWaits) {
  SessionStream stream("nobody", Options());
  std::thread thread([&] { stream.Close(); });
  EXPECT_EQ(Next(stream), 0);
  thread.join();
}

TEST_F(SessionStreamTest, CloseEndsANextThatWaitsForControl) {
  control_.Stop();
  SessionStream stream("s", Options());
  std::thread thread([&] { stream.Close(); });
  EXPECT_EQ(Next(stream), 0);
  thread.join();
}

TEST_F(SessionStreamTest, GivesUpWhenTheTimeHasPassedAndSaysSoAgain) {
  control_.Stop();
  SessionStreamOptions options = Options();
  options.give_up_after = milliseconds(200);
  SessionStream stream("s", options);
  const auto next = stream.Next();
  EXPECT_EQ(next.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(next.status().message(), testing::HasSubstr("given up after 200 ms"));
  EXPECT_EQ(stream.Next().status(), next.status());
}

TEST_F(SessionStreamTest, TellsThatControlIsAwayAndBackThoughThereIsNothingToRead) {
  Told told;
  SessionStreamOptions options = Options();
  options.on_connection = told.Listener();
  SessionStream stream("s", options);
  std::thread thread([&] { EXPECT_EQ(Next(stream), 0); });
  EXPECT_EQ(told.At(0), absl::OkStatus());
  for (size_t restart = 0; restart < 3; ++restart) {
    control_.Stop();
    EXPECT_EQ(told.At(2 * restart + 1).code(), absl::StatusCode::kUnavailable);
    control_.Start();
    EXPECT_EQ(told.At(2 * restart + 2), absl::OkStatus());
  }
  stream.Close();
  thread.join();
}

TEST_F(SessionStreamTest, AnOutageIsNotCountedTogetherWithOneLongBefore) {
  Told told;
  SessionStreamOptions options = Options();
  options.give_up_after = milliseconds(2'000);
  options.on_connection = told.Listener();
  SessionStream stream("s", options);
  std::thread thread([&] { EXPECT_EQ(Next(stream), 1); });
  EXPECT_EQ(told.At(0), absl::OkStatus());
  const absl::Time first = absl::Now();
  control_.Stop();
  EXPECT_FALSE(told.At(1).ok());
  control_.Start();
  EXPECT_EQ(told.At(2), absl::OkStatus());
  ASSERT_TRUE(told.IsAllUntil(3, first + absl::Milliseconds(2'500)));
  control_.Stop();
  EXPECT_FALSE(told.At(3).ok());
  control_.Start();
  EXPECT_EQ(told.At(4), absl::OkStatus());
  Publish("s", 1);
  thread.join();
}

TEST_F(SessionStreamTest, WhatIsRefusedForGoodIsAnErrorAtOnceAndNothingIsToldOfTheConnection) {
  Told told;
  SessionStreamOptions options = Options();
  options.on_connection = told.Listener();
  SessionStream stream("not an id", options);
  EXPECT_EQ(stream.Next().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(told.IsAllUntil(0, absl::InfinitePast()));
}

TEST_F(SessionStreamTest, MayBeLeftWithEventsThatNobodyTook) {
  Publish("s", 2'000);
  SessionStream stream("s", Options());
  EXPECT_EQ(Next(stream), 1);
}

}  // namespace
}  // namespace sessioncast::test
