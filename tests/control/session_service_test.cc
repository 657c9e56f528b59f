// SessionService over real channels: in process and TCP.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "sessioncast/v1/session_service.pb.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

constexpr auto kDeadline = std::chrono::seconds(30);

// A call's context with a deadline, so that what hangs fails.
class Call : public grpc::ClientContext {
 public:
  Call() { set_deadline(std::chrono::system_clock::now() + kDeadline); }
};

control::ServerOptions InMemory() {
  control::ServerOptions options;
  options.store = "memory";
  return options;
}

control::ServerOptions Keeping(size_t events) {
  control::ServerOptions options = InMemory();
  options.broker.history.kept.events_max = events;
  return options;
}

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::StatusDetails rpc;
  v1::ErrorDetail detail;
  EXPECT_TRUE(rpc.ParseFromString(status.error_details()));
  EXPECT_EQ(rpc.code(), status.error_code());
  EXPECT_EQ(rpc.details_size(), 1);
  EXPECT_TRUE(rpc.details_size() == 1 && rpc.details(0).UnpackTo(&detail));
  return detail;
}

class SessionServiceTest : public testing::TestWithParam<Reach> {
 protected:
  grpc::Status Publish(v1::Event event, const std::string& key = "") {
    Call call;
    published_.Clear();
    return server_.sessions().PublishEvent(&call, PublishRequest(std::move(event), key),
                                           &published_);
  }

  // Reads until `count` events are there, or the stream ends.
  std::vector<v1::Event> Read(grpc::ClientReader<v1::StreamSessionResponse>& reader, size_t count) {
    std::vector<v1::Event> events;
    v1::StreamSessionResponse response;
    while (events.size() < count && reader.Read(&response)) {
      for (const v1::Event& event : response.events()) events.push_back(event);
    }
    return events;
  }

  v1::StreamSessionRequest StreamRequest(const std::string& session_id,
                                         const v1::Position& after = {}) {
    v1::StreamSessionRequest request;
    request.set_session_id(session_id);
    *request.mutable_after() = after;
    return request;
  }

  ControlServer server_{InMemory(), GetParam()};
  v1::PublishEventResponse published_;
};

TEST_P(SessionServiceTest, AnEventGetsTheNextPositionOfItsSession) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 10)).ok());
  EXPECT_EQ(published_.position().sequence(), 1u);
  EXPECT_EQ(published_.position().epoch().size(), 8u);
  const std::string epoch = published_.position().epoch();
  ASSERT_TRUE(Publish(ProgressEvent("s1", 20)).ok());
  EXPECT_EQ(published_.position().sequence(), 2u);
  EXPECT_EQ(published_.position().epoch(), epoch);
}

TEST_P(SessionServiceTest, AKeyStoresOnceAndRefusesAnotherEvent) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 10), "k1").ok());
  ASSERT_TRUE(Publish(ProgressEvent("s1", 10), "k1").ok());
  EXPECT_TRUE(published_.duplicate());
  EXPECT_EQ(published_.position().sequence(), 1u);
  EXPECT_EQ(Publish(ProgressEvent("s1", 11), "k1").error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_P(SessionServiceTest, AWrongFieldIsNamed) {
  const grpc::Status status = Publish(ProgressEvent("s1", 101));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "progress.percent: must be 0 to 100, is 101");
}

TEST_P(SessionServiceTest, ACompletedKeyIsADuplicateAndALateEventIsRefused) {
  ASSERT_TRUE(Publish(CompletedEvent("s1"), "end").ok());
  ASSERT_TRUE(Publish(CompletedEvent("s1"), "end").ok());
  EXPECT_TRUE(published_.duplicate());
  EXPECT_EQ(Publish(ProgressEvent("s1", 1)).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_P(SessionServiceTest, AStreamOfManyEventsIsAnsweredInOrder) {
  Call call;
  const auto stream = server_.sessions().PublishEvents(&call);
  v1::PublishEventsRequest request;
  *request.add_events() = PublishRequest(ProgressEvent("a", 1));
  *request.add_events() = PublishRequest(ProgressEvent("a", 101));
  *request.add_events() = PublishRequest(ProgressEvent("b", 1));
  *request.add_events() = PublishRequest(ProgressEvent("a", 2));
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->WritesDone());
  std::vector<v1::PublishOutcome> outcomes;
  v1::PublishEventsResponse response;
  while (stream->Read(&response))
    outcomes.insert(outcomes.end(), response.outcomes().begin(), response.outcomes().end());
  ASSERT_TRUE(stream->Finish().ok());
  ASSERT_EQ(outcomes.size(), 4u);
  EXPECT_EQ(outcomes[0].accepted().position().sequence(), 1u);
  EXPECT_EQ(outcomes[1].refused().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(outcomes[2].accepted().position().sequence(), 1u);
  EXPECT_EQ(outcomes[3].accepted().position().sequence(), 2u);
}

TEST_P(SessionServiceTest, AStreamReadsFromTheStartThenLiveUntilTheEnd) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  ASSERT_TRUE(Publish(ProgressEvent("s1", 2)).ok());
  Call call;
  const auto reader = server_.sessions().StreamSession(&call, StreamRequest("s1"));
  EXPECT_EQ(Read(*reader, 2).size(), 2u);
  ASSERT_TRUE(Publish(CustomEvent("s1", "x")).ok());
  const std::vector<v1::Event> live = Read(*reader, 1);
  ASSERT_EQ(live.size(), 1u);
  EXPECT_EQ(live[0].position().sequence(), 3u);
  EXPECT_TRUE(live[0].has_time());
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  EXPECT_EQ(Read(*reader, 100).size(), 1u);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_P(SessionServiceTest, AStreamWaitsForASessionThatDoesNotExistYet) {
  Call call;
  const auto reader = server_.sessions().StreamSession(&call, StreamRequest("later"));
  reader->WaitForInitialMetadata();
  ASSERT_TRUE(Publish(CompletedEvent("later")).ok());
  EXPECT_EQ(Read(*reader, 100).size(), 1u);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_P(SessionServiceTest, AStreamAfterAPositionThatIsNotThereSaysWhereToGoOn) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  v1::Position above = published_.position();
  above.set_sequence(uint64_t{1} << 63);
  v1::Position other_epoch = published_.position();
  other_epoch.set_epoch("XXXXXXXX");
  for (const v1::Position& after : {above, other_epoch}) {
    Call call;
    const auto reader = server_.sessions().StreamSession(&call, StreamRequest("s1", after));
    EXPECT_TRUE(Read(*reader, 1).empty());
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
    EXPECT_EQ(DetailOf(status).snapshot_position().sequence(), 1u);
  }
}

TEST_P(SessionServiceTest, AReaderOfWhatIsNotKeptAnyMoreGoesOnFromTheSnapshot) {
  ControlServer server(Keeping(16), GetParam());
  v1::PublishEventResponse published;
  for (int n = 1; n <= 40; ++n) {
    Call call;
    const auto request = PublishRequest(ProgressEvent("s1", n));
    ASSERT_TRUE(server.sessions().PublishEvent(&call, request, &published).ok());
  }
  v1::Position old = published.position();
  old.set_sequence(5);
  v1::Position snapshot_position;
  for (const v1::Position& after : {v1::Position(), old}) {
    Call call;
    const auto reader = server.sessions().StreamSession(&call, StreamRequest("s1", after));
    EXPECT_TRUE(Read(*reader, 1).empty());
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
    snapshot_position = DetailOf(status).snapshot_position();
    EXPECT_EQ(snapshot_position.sequence(), 40u);
  }
  Call call;
  const auto reader =
      server.sessions().StreamSession(&call, StreamRequest("s1", snapshot_position));
  reader->WaitForInitialMetadata();
  Call end_call;
  ASSERT_TRUE(server.sessions()
                  .PublishEvent(&end_call, PublishRequest(CompletedEvent("s1")), &published)
                  .ok());
  EXPECT_EQ(Read(*reader, 10).size(), 1u);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_P(SessionServiceTest, ASnapshotIsStampedWithItsPosition) {
  ASSERT_TRUE(Publish(ProgressEvent("s1", 1)).ok());
  ASSERT_TRUE(Publish(ProgressEvent("s1", 2)).ok());
  ASSERT_TRUE(Publish(ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED, "yes")).ok());
  Call call;
  v1::GetSessionRequest request;
  request.set_session_id("s1");
  v1::GetSessionResponse response;
  ASSERT_TRUE(server_.sessions().GetSession(&call, request, &response).ok());
  EXPECT_EQ(response.snapshot().position().sequence(), 3u);
  EXPECT_EQ(response.snapshot().status(), v1::SESSION_STATUS_PROCESSING);
  ASSERT_EQ(response.snapshot().events_size(), 2);
  EXPECT_EQ(response.snapshot().events(0).progress().percent(), 2);
  EXPECT_EQ(response.snapshot().events(1).model_result().result(), "yes");
}

TEST_P(SessionServiceTest, ASessionThatNobodyPublishedToIsNotFound) {
  Call call;
  v1::GetSessionRequest request;
  request.set_session_id("nobody");
  v1::GetSessionResponse response;
  EXPECT_EQ(server_.sessions().GetSession(&call, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_P(SessionServiceTest, SessionsAreListedInPages) {
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(Publish(ProgressEvent(id, 1)).ok());
  v1::ListSessionsRequest request;
  request.set_page_size(2);
  v1::ListSessionsResponse first;
  Call first_call;
  ASSERT_TRUE(server_.sessions().ListSessions(&first_call, request, &first).ok());
  ASSERT_EQ(first.sessions_size(), 2);
  EXPECT_EQ(first.sessions(0).session_id(), "a");
  request.set_page_token(first.next_page_token());
  v1::ListSessionsResponse second;
  Call second_call;
  ASSERT_TRUE(server_.sessions().ListSessions(&second_call, request, &second).ok());
  ASSERT_EQ(second.sessions_size(), 1);
  EXPECT_EQ(second.sessions(0).session_id(), "c");
  EXPECT_EQ(second.next_page_token(), "");
}

class ClarificationServiceTest : public SessionServiceTest {
 protected:
  struct Asked {
    grpc::Status status;
    v1::AskClarificationResponse response;
  };

  std::future<Asked> Ask(const std::string& clarification_id, int64_t limit_ms = 0) {
    return std::async(std::launch::async, [this, clarification_id, limit_ms] {
      Call call;
      v1::AskClarificationRequest request;
      request.set_session_id("s1");
      request.set_clarification_id(clarification_id);
      request.set_question("Which one?");
      if (limit_ms > 0) {
        request.mutable_time_limit()->set_nanos(static_cast<int32_t>(limit_ms) * 1'000'000);
        request.set_default_response("the first");
      }
      Asked asked;
      asked.status = server_.sessions().AskClarification(&call, request, &asked.response);
      return asked;
    });
  }

  // Waits until the session's first event is there.
  void WaitForTheQuestion() {
    Call call;
    const auto reader = server_.sessions().StreamSession(&call, StreamRequest("s1"));
    ASSERT_EQ(Read(*reader, 1).size(), 1u);
    call.TryCancel();
    reader->Finish();
  }

  grpc::Status Answer(const std::string& clarification_id, const std::string& text) {
    Call call;
    v1::AnswerClarificationRequest request;
    request.set_session_id("s1");
    request.set_clarification_id(clarification_id);
    request.set_response(text);
    v1::AnswerClarificationResponse response;
    return server_.sessions().AnswerClarification(&call, request, &response);
  }

  grpc::Status Cancel(const std::string& clarification_id) {
    Call call;
    v1::CancelClarificationRequest request;
    request.set_session_id("s1");
    request.set_clarification_id(clarification_id);
    v1::CancelClarificationResponse response;
    return server_.sessions().CancelClarification(&call, request, &response);
  }
};

TEST_P(ClarificationServiceTest, AnAnswerReturnsFromEveryCallThatAsked) {
  std::future<Asked> first = Ask("c1");
  WaitForTheQuestion();
  std::future<Asked> again = Ask("c1");
  ASSERT_TRUE(Answer("c1", "the second").ok());
  for (std::future<Asked>* future : {&first, &again}) {
    const Asked asked = future->get();
    ASSERT_TRUE(asked.status.ok()) << asked.status.error_message();
    EXPECT_EQ(asked.response.status(), v1::CLARIFICATION_STATUS_ANSWERED);
    EXPECT_EQ(asked.response.response(), "the second");
    EXPECT_EQ(asked.response.position().sequence(), 2u);
  }
}

TEST_P(ClarificationServiceTest, OneEndsItAndTheOthersLearnTheWinner) {
  std::future<Asked> asked = Ask("c1");
  WaitForTheQuestion();
  ASSERT_TRUE(Answer("c1", "first").ok());
  const grpc::Status late = Answer("c1", "second");
  EXPECT_EQ(late.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(DetailOf(late).winner().response(), "first");
  EXPECT_EQ(DetailOf(late).winner().status(), v1::CLARIFICATION_STATUS_ANSWERED);
  EXPECT_EQ(Cancel("c1").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Answer("c2", "x").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(asked.get().status.ok());
}

TEST_P(ClarificationServiceTest, ACancelReturnsToTheCaller) {
  std::future<Asked> asked = Ask("c1");
  WaitForTheQuestion();
  ASSERT_TRUE(Cancel("c1").ok());
  EXPECT_EQ(asked.get().response.status(), v1::CLARIFICATION_STATUS_CANCELLED);
}

TEST_P(ClarificationServiceTest, TheTimeLimitAnswersWithTheDefault) {
  const Asked asked = Ask("c1", 30).get();
  ASSERT_TRUE(asked.status.ok()) << asked.status.error_message();
  EXPECT_EQ(asked.response.status(), v1::CLARIFICATION_STATUS_EXPIRED);
  EXPECT_EQ(asked.response.response(), "the first");
}

TEST_P(ClarificationServiceTest, TheEndOfTheSessionCancelsWhatIsOpenJustBeforeIt) {
  std::future<Asked> asked = Ask("c1");
  WaitForTheQuestion();
  ASSERT_TRUE(Publish(CompletedEvent("s1")).ok());
  EXPECT_EQ(published_.position().sequence(), 3u);
  const Asked cancelled = asked.get();
  EXPECT_EQ(cancelled.response.status(), v1::CLARIFICATION_STATUS_CANCELLED);
  EXPECT_EQ(cancelled.response.position().sequence(), 2u);
}

TEST_P(ClarificationServiceTest, AskingAnotherQuestionUnderTheIdIsRefused) {
  std::future<Asked> asked = Ask("c1");
  WaitForTheQuestion();
  Call call;
  v1::AskClarificationRequest request;
  request.set_session_id("s1");
  request.set_clarification_id("c1");
  request.set_question("Something else?");
  v1::AskClarificationResponse response;
  EXPECT_EQ(server_.sessions().AskClarification(&call, request, &response).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  ASSERT_TRUE(Cancel("c1").ok());
  EXPECT_TRUE(asked.get().status.ok());
}

std::string NameOf(const testing::TestParamInfo<Reach>& info) {
  return info.param == Reach::kTcp ? "Tcp" : "InProcess";
}

INSTANTIATE_TEST_SUITE_P(Over, SessionServiceTest, testing::Values(Reach::kTcp, Reach::kInProcess),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Over, ClarificationServiceTest,
                         testing::Values(Reach::kTcp, Reach::kInProcess), NameOf);

}  // namespace
}  // namespace sessioncast::test
