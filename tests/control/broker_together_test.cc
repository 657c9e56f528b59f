// Publishes of one session that come together: stored in one piece, judged one by one.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/control/broker_fixture.h"

namespace sessioncast::test {
namespace {

using control::Publication;

class BrokerTogetherTest : public BrokerTest {
 protected:
  Result<Broker::Outcomes> Begin(std::vector<Publication> publications,
                                 std::shared_ptr<control::PublishOrder> order = nullptr) {
    Result<Broker::Outcomes> result;
    broker_->PublishAll("s1", std::move(publications), std::move(order),
                        [done = result.Done()](Broker::Outcomes outcomes) mutable {
                          done(std::move(outcomes));
                        });
    return result;
  }
  // What each is worth: a sequence, or a code below 0.
  static std::vector<int> Told(Result<Broker::Outcomes> result) {
    std::vector<int> told;
    const absl::StatusOr<Broker::Outcomes> outcomes = result.Get();
    EXPECT_TRUE(outcomes.ok()) << outcomes.status();
    if (!outcomes.ok()) return told;
    for (const absl::StatusOr<Published>& outcome : *outcomes) {
      told.push_back(outcome.ok() ? static_cast<int>(outcome->position.sequence())
                                  : -static_cast<int>(outcome.status().code()));
    }
    return told;
  }
  std::vector<int> PublishAll(std::vector<Publication> publications) {
    return Told(Begin(std::move(publications)));
  }
  std::vector<control::Deadline> Questions() {
    std::vector<control::Deadline> deadlines = *store_.DueDeadlines(absl::InfiniteFuture(), 100);
    deadlines.erase(std::remove_if(deadlines.begin(), deadlines.end(),
                                   [](const auto& deadline) { return deadline.is_of_session(); }),
                    deadlines.end());
    return deadlines;
  }
};

constexpr int kInvalid = -static_cast<int>(absl::StatusCode::kInvalidArgument);
constexpr int kExists = -static_cast<int>(absl::StatusCode::kAlreadyExists);
constexpr int kEnded = -static_cast<int>(absl::StatusCode::kFailedPrecondition);
constexpr int kUnknown = -static_cast<int>(absl::StatusCode::kUnavailable);
constexpr int kNoRoom = -static_cast<int>(absl::StatusCode::kResourceExhausted);
using Expected = std::vector<int>;

TEST_F(BrokerTogetherTest, EachIsJudgedByItselfAndAllAreStoredInOnePiece) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "before"), "old").ok());
  EXPECT_EQ(PublishAll({{CustomEvent("s1", "a"), "a"},
                        {CustomEvent("", "no session"), ""},
                        {CustomEvent("s1", "a"), "a"},
                        {CustomEvent("s1", "before"), "old"},
                        {CustomEvent("s1", "another"), "old"},
                        {CompletedEvent("s1"), ""},
                        {CustomEvent("s1", "late"), ""}}),
            (Expected{2, kInvalid, 2, 1, kExists, 3, kEnded}));
  EXPECT_EQ(SequencesOf(*Read("s1", {})), (Sequences{1, 2, 3}));
  EXPECT_EQ(store_.appends(), 2);
}

TEST_F(BrokerTogetherTest, WhatWasDurableBeforeIsTrueAlsoWhenTheRestIsUnknown) {
  ASSERT_TRUE(Publish(CustomEvent("s1", "before"), "old").ok());
  store_.Hold();
  Result<Broker::Outcomes> result = Begin({{CustomEvent("s1", "before"), "old"},
                                           {CustomEvent("s1", "a"), "a"},
                                           {CustomEvent("", "no session"), ""},
                                           {CustomEvent("s1", "b"), "b"}});
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_EQ(Told(std::move(result)), (Expected{1, kUnknown, kInvalid, kUnknown}));
  store_.Heal();
  EXPECT_EQ(PublishAll({{CustomEvent("s1", "a"), "a"}, {CustomEvent("s1", "b"), "b"}}),
            (Expected{2, 3}));
}

TEST_F(BrokerTogetherTest, WithoutRoomNoneIsAcceptedAndWhatIsInvalidIsToldSo) {
  options_.commit_queue.in_flight_bytes_max = 1'000;
  Restart();
  store_.Hold();
  Result<Broker::Outcomes> held = Begin({{CustomEvent("s1", std::string(200, 'x')), ""}});
  EXPECT_EQ(PublishAll({{CustomEvent("s1", std::string(600, 'x')), ""},
                        {CustomEvent("", "no session"), ""},
                        {CustomEvent("s1", std::string(600, 'x')), ""}}),
            (Expected{kNoRoom, kInvalid, kNoRoom}));
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(Told(std::move(held)), (Expected{1}));
  EXPECT_EQ(PublishAll({{CustomEvent("s1", std::string(600, 'x')), ""}}), (Expected{2}));
}

TEST_F(BrokerTogetherTest, WhatIsMoreThanAllTheRoomHasItWhenNothingElseIsInFlight) {
  options_.commit_queue.in_flight_bytes_max = 1'000;
  Restart();
  const auto large = [](const std::string& text) {
    return std::vector<Publication>{{CustomEvent("s1", text + std::string(600, 'x')), text},
                                    {CustomEvent("s1", std::string(600, 'x')), ""}};
  };
  store_.Hold();
  Result<Broker::Outcomes> held = Begin(large("first"));
  EXPECT_EQ(PublishAll(large("second")), (Expected{kNoRoom, kNoRoom}));
  EXPECT_EQ(PublishAll({{CustomEvent("s1", "small"), ""}}), (Expected{kNoRoom}));
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(Told(std::move(held)), (Expected{1, 2}));
  EXPECT_EQ(PublishAll(large("second")), (Expected{3, 4}));
}

TEST_F(BrokerTogetherTest, AQuestionThatEndsInThePieceInWhichItIsAskedLeavesNoDeadline) {
  v1::Event open = QuestionEvent("s1", "open");
  open.mutable_clarification()->mutable_time_limit()->set_seconds(60);
  EXPECT_EQ(PublishAll({{open, ""}}), (Expected{1}));
  EXPECT_EQ(Questions().size(), 1u);
  v1::Event asked = QuestionEvent("s1", "asked");
  asked.mutable_clarification()->mutable_time_limit()->set_seconds(60);
  EXPECT_EQ(PublishAll({{asked, ""}, {CompletedEvent("s1"), ""}}), (Expected{2, 5}));
  EXPECT_TRUE(Questions().empty());
}

TEST_F(BrokerTogetherTest, NothingOfAnOrderIsAcceptedBehindWhatWasNotStored) {
  const auto order = std::make_shared<control::PublishOrder>(true);
  store_.Hold();
  Result<Broker::Outcomes> lost = Begin({{CustomEvent("s1", "a"), "a"}}, order);
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_EQ(Told(std::move(lost)), (Expected{kUnknown}));
  store_.Heal();
  EXPECT_EQ(Told(Begin({{CustomEvent("s1", "b"), "b"}}, order)), (Expected{kUnknown}));
  EXPECT_EQ(PublishAll({{CustomEvent("s1", "of another"), ""}}), (Expected{1}));
  const auto anew = std::make_shared<control::PublishOrder>(true);
  EXPECT_EQ(Told(Begin({{CustomEvent("s1", "a"), "a"}, {CustomEvent("s1", "b"), "b"}}, anew)),
            (Expected{2, 3}));
}

TEST_F(BrokerTogetherTest, OlderEventsLeaveWithAPieceAndNoneOfItsOwn) {
  options_.history.kept.events_max = 8;
  Restart();
  const auto many = [](int count) {
    std::vector<Publication> publications;
    for (int n = 0; n < count; ++n)
      publications.push_back({CustomEvent("s1", "x"), "k" + std::to_string(n)});
    return publications;
  };
  const auto kept_from = [this](uint64_t sequence) {
    const std::string epoch = Read("s1", {})->top.epoch();
    const auto before = Read("s1", PositionAt(epoch, sequence - 2));
    const auto from = Read("s1", PositionAt(epoch, sequence - 1));
    return before->outcome == ReadPage::Outcome::kOutOfRange &&
           from->outcome == ReadPage::Outcome::kPage && from->events[0]->sequence == sequence;
  };
  ASSERT_TRUE(Publish(ProgressEvent("s1", 10)).ok());
  EXPECT_EQ(PublishAll(many(20)).back(), 21);
  EXPECT_TRUE(kept_from(2));
  EXPECT_TRUE(Publish(CustomEvent("s1", "x"), "k0")->duplicate);
  Restart();
  EXPECT_TRUE(kept_from(2));
  EXPECT_EQ(Snapshot("s1")->events[0]->sequence, 1u);
  EXPECT_EQ(PublishAll(many(2)), (Expected{2, 3}));
  ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  EXPECT_TRUE(kept_from(15));
  EXPECT_EQ(PublishAll(many(1)), (Expected{23}));
}

}  // namespace
}  // namespace sessioncast::test
