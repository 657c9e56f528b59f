// PublishEvents when the store fails: nothing behind an unknown outcome is accepted until that
// event comes again.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/broker.h"
#include "control/session_service.h"
#include "tests/control/events.h"
#include "tests/control/faulty_store.h"

namespace sessioncast::test {
namespace {

class PublishStreamTest : public testing::Test {
 protected:
  explicit PublishStreamTest(control::BrokerOptions options = {})
      : broker_(store_, std::move(options)) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::SessionService::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
    call_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_->PublishEvents(&call_);
  }
  ~PublishStreamTest() override {
    stream_->WritesDone();
    v1::PublishEventsResponse response;
    while (stream_->Read(&response)) {
    }
    EXPECT_EQ(stream_->Finish().error_code(), end_);
    server_->Shutdown();
  }

  // Sends custom events whose text is their key, in one message.
  void Send(const std::vector<std::string>& keys, const std::string& session_id = "s1") {
    v1::PublishEventsRequest request;
    for (const std::string& key : keys)
      *request.add_events() = PublishRequest(CustomEvent(session_id, key), key);
    ASSERT_TRUE(stream_->Write(request));
  }

  void SendWithoutKey(const std::string& text) {
    v1::PublishEventsRequest request;
    *request.add_events() = PublishRequest(CustomEvent("s1", text), "");
    ASSERT_TRUE(stream_->Write(request));
  }

  // The next outcomes: a sequence, or the code of a refusal below 0.
  std::vector<int> Outcomes(size_t count) {
    while (outcomes_.size() < count) {
      v1::PublishEventsResponse response;
      if (!stream_->Read(&response)) break;
      for (const v1::PublishOutcome& outcome : response.outcomes()) {
        outcomes_.push_back(outcome.has_refused()
                                ? -outcome.refused().code()
                                : static_cast<int>(outcome.accepted().position().sequence()));
      }
    }
    return std::exchange(outcomes_, {});
  }

  FaultyStore store_;
  control::Broker broker_;
  control::WritePacer pacer_{std::chrono::microseconds(250)};
  control::Access access_{nullptr};
  control::SessionService service_{broker_, access_, pacer_, control::SessionServiceOptions{}};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SessionService::Stub> stub_;
  grpc::ClientContext call_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::PublishEventsRequest, v1::PublishEventsResponse>>
      stream_;
  std::vector<int> outcomes_;
  grpc::StatusCode end_ = grpc::StatusCode::OK;  // how the stream is to end
};

constexpr int kLater = -grpc::StatusCode::RESOURCE_EXHAUSTED;
constexpr int kUnknown = -grpc::StatusCode::UNAVAILABLE;
using Expected = std::vector<int>;

TEST_F(PublishStreamTest, NothingBehindAnUnknownOutcomeIsAcceptedUntilThatEventComesAgain) {
  Send({"a"});
  EXPECT_EQ(Outcomes(1), (Expected{1}));
  store_.Hold();
  Send({"b", "c"});
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_EQ(Outcomes(2), (Expected{kUnknown, kUnknown}));
  store_.Heal();
  Send({"d"});
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  Send({"b", "c", "d"});
  EXPECT_EQ(Outcomes(3), (Expected{2, 3, 4}));
}

TEST_F(PublishStreamTest, OutcomesAreInTheOrderOfAMessageThatHasManySessionsAndManyOfOne) {
  v1::PublishEventsRequest request;
  Expected expected;
  const auto add = [&](const v1::Event& event, int outcome) {
    *request.add_events() = PublishRequest(event, "");
    expected.push_back(outcome);
  };
  int of_many = 0;
  for (int n = 0; n < 3; ++n) {
    add(CustomEvent("other", "x"), n + 1);
    for (int i = 0; i < 70; ++i) add(CustomEvent("many", "x"), ++of_many);
    add(CustomEvent("", "x"), -grpc::StatusCode::INVALID_ARGUMENT);
  }
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Outcomes(expected.size()), expected);
  // Each run of one session is a piece, a long one is two.
  EXPECT_EQ(store_.appends(), 3 * 3);
}

TEST_F(PublishStreamTest, OtherSessionsOfTheStreamGoOn) {
  Send({"a"}, "other");
  EXPECT_EQ(Outcomes(1), (Expected{1}));
  store_.Hold();
  Send({"a"});
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  store_.Heal();
  Send({"b"}, "other");
  EXPECT_EQ(Outcomes(1), (Expected{2}));
}

// Another publisher's event has taken most of the room that there is in flight.
class PublishStreamWithLittleRoomTest : public PublishStreamTest {
 protected:
  PublishStreamWithLittleRoomTest() : PublishStreamTest(Options()) {
    store_.Hold();
    broker_.Publish(CustomEvent("other", std::string(120, 'o')), "",
                    [](const absl::StatusOr<control::Published>&) {});
  }
  static control::BrokerOptions Options() {
    control::BrokerOptions options;
    options.commit_queue.in_flight_bytes_max = 250;
    return options;
  }
  const std::string long_ = std::string(120, 'l');
};

TEST_F(PublishStreamWithLittleRoomTest, WhatFollowsARefusalForNowWaitsUntilItComesAgain) {
  Send({long_});
  EXPECT_EQ(Outcomes(1), (Expected{kLater}));
  store_.LetGo(Fault::kNone);
  Send({"a"});
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  Send({"a"}, "s2");
  EXPECT_EQ(Outcomes(1), (Expected{1}));
  Send({long_, "a"});
  EXPECT_EQ(Outcomes(2), (Expected{1, 2}));
}

TEST_F(PublishStreamWithLittleRoomTest, WhatFollowsItInTheSameMessageWaitsToo) {
  v1::PublishEventsRequest request;
  *request.add_events() = PublishRequest(CustomEvent("s1", long_), "a");
  *request.add_events() = PublishRequest(CustomEvent("s2", "x"), "x");
  *request.add_events() = PublishRequest(CustomEvent("s1", "x"), "b");
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Outcomes(1), (Expected{kLater}));
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(Outcomes(2), (Expected{1, kUnknown}));
}

TEST_F(PublishStreamWithLittleRoomTest, WithoutAKeyItStopsNothing) {
  SendWithoutKey(long_);
  EXPECT_EQ(Outcomes(1), (Expected{kLater}));
  SendWithoutKey("x");
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(Outcomes(1), (Expected{1}));
}

TEST_F(PublishStreamWithLittleRoomTest, AMessageThatIsMoreThanAllTheRoomIsAcceptedOnceItComesAlone) {
  const std::vector<std::string> keys = {"a" + long_, "b" + long_, "c" + long_};
  Send(keys);
  EXPECT_EQ(Outcomes(3), (Expected{kLater, kLater, kLater}));
  store_.LetGo(Fault::kNone);
  // As soon as it has its outcome it is not in flight any more.
  Send({"d"}, "other");
  EXPECT_EQ(Outcomes(1), (Expected{2}));
  Send(keys);
  EXPECT_EQ(Outcomes(3), (Expected{1, 2, 3}));
}

TEST_F(PublishStreamTest, AnEventThatFailsAgainStopsItsSessionAgain) {
  store_.Hold();
  Send({"a", "b"});
  store_.LetGo(Fault::kLosesTheGroup);
  EXPECT_EQ(Outcomes(2), (Expected{kUnknown, kUnknown}));
  Send({"a"});
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  store_.Heal();
  Send({"b"});
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  Send({"a", "b"});
  EXPECT_EQ(Outcomes(2), (Expected{1, 2}));
}

TEST_F(PublishStreamTest, AnEventThatWasStoredAfterAllIsADuplicateAndTheRestFollowsIt) {
  store_.Hold();
  Send({"a"});
  store_.LetGo(Fault::kStoresItButFails);
  EXPECT_EQ(Outcomes(1), (Expected{kUnknown}));
  store_.Heal();
  Send({"a", "b"});
  EXPECT_EQ(Outcomes(2), (Expected{1, 2}));
}

TEST_F(PublishStreamTest, ADrainedStreamAnswersWhatItTookTakesNothingMoreAndEndsAsUnavailable) {
  store_.Hold();
  Send({"a", "b"});
  store_.WaitForAHeldCommit();
  service_.Drain();
  v1::PublishEventsRequest late;
  *late.add_events() = PublishRequest(CustomEvent("s1", "late"));
  // In process a message that nobody reads any more is not sent until the call ends.
  std::thread sending([this, &late] { stream_->Write(late); });
  store_.LetGo(Fault::kNone);
  EXPECT_EQ(Outcomes(3), (Expected{1, 2}));
  sending.join();
  end_ = grpc::StatusCode::UNAVAILABLE;

  grpc::ClientContext call;
  v1::PublishEventResponse response;
  ASSERT_TRUE(
      stub_->PublishEvent(&call, PublishRequest(CustomEvent("s1", "next")), &response).ok());
  EXPECT_EQ(response.position().sequence(), 3);
}

TEST_F(PublishStreamTest, AStreamThatComesAfterTheDrainEndsAtOnce) {
  service_.Drain();
  end_ = grpc::StatusCode::UNAVAILABLE;
  EXPECT_EQ(Outcomes(1), Expected());
  grpc::ClientContext call;
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto later = stub_->PublishEvents(&call);
  v1::PublishEventsResponse response;
  EXPECT_FALSE(later->Read(&response));
  EXPECT_EQ(later->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(PublishStreamTest, MoreThanTheStreamsBytesAreAllAnswered) {
  constexpr int kMessages = 40;
  const std::string text(200'000, 'x');  // 8 MB in all, twice the stream's bound
  std::thread sending([this, &text] {
    for (int n = 0; n < kMessages; ++n) {
      v1::PublishEventsRequest request;
      *request.add_events() = PublishRequest(CustomEvent("s1", text));
      EXPECT_TRUE(stream_->Write(request));
    }
  });
  Expected expected;
  for (int n = 1; n <= kMessages; ++n) expected.push_back(n);
  EXPECT_EQ(Outcomes(kMessages), expected);
  sending.join();
}

}  // namespace
}  // namespace sessioncast::test
