// EdgeService over real channels.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/control/events.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

class Call : public grpc::ClientContext {
 public:
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30)); }
};

class EdgeServiceTest : public testing::Test {
 protected:
  void Publish(v1::Event event) {
    Call call;
    v1::PublishEventResponse response;
    const grpc::Status status =
        server_.sessions().PublishEvent(&call, PublishRequest(std::move(event)), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    position_ = response.position();
  }

  v1::ReadEventsResponse Read(const v1::ReadEventsRequest& request) {
    Call call;
    v1::ReadEventsResponse response;
    const grpc::Status status = server_.edges().ReadEvents(&call, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  v1::ReadEventsRequest After(const std::string& session_id, const v1::Position& after) {
    v1::ReadEventsRequest request;
    request.set_session_id(session_id);
    *request.mutable_after() = after;
    return request;
  }

  static std::vector<uint64_t> SequencesOf(
      const google::protobuf::RepeatedPtrField<std::string>& events) {
    std::vector<uint64_t> sequences;
    for (const std::string& bytes : events) {
      v1::Event event;
      EXPECT_TRUE(event.ParseFromString(bytes));
      sequences.push_back(event.position().sequence());
    }
    return sequences;
  }

  ControlServer server_;
  v1::Position position_;
};

using Sequences = std::vector<uint64_t>;

// An attached edge that keeps what it got.
class Edge {
 public:
  explicit Edge(v1::EdgeService::Stub& stub) : stream_(stub.Attach(&call_)) {}
  ~Edge() {
    call_.TryCancel();
    stream_->Finish();
  }

  void Begin(uint32_t interest_id, const std::string& session_id) {
    v1::AttachRequest request;
    v1::Interest& interest = *request.add_begin();
    interest.set_interest_id(interest_id);
    interest.set_session_id(session_id);
    ASSERT_TRUE(stream_->Write(request));
  }

  void End(uint32_t interest_id) {
    v1::AttachRequest request;
    request.add_end(interest_id);
    ASSERT_TRUE(stream_->Write(request));
  }

  bool Next() {
    v1::AttachResponse response;
    if (!stream_->Read(&response)) return false;
    for (const v1::LiveBatch& batch : response.batches()) {
      if (batch.has_announced()) announced[batch.interest_id()] = batch.announced();
      for (const std::string& bytes : batch.events()) {
        v1::Event event;
        EXPECT_TRUE(event.ParseFromString(bytes));
        sequences[batch.interest_id()].push_back(event.position().sequence());
      }
    }
    return true;
  }

  std::map<uint32_t, v1::Position> announced;
  std::map<uint32_t, Sequences> sequences;

 private:
  Call call_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>> stream_;
};

TEST_F(EdgeServiceTest, AnInterestIsAnnouncedThenFedLive) {
  Publish(ProgressEvent("s1", 1));
  Publish(ProgressEvent("s1", 2));
  Edge edge(server_.edges());
  edge.Begin(7, "s1");
  while (edge.announced.count(7) == 0) ASSERT_TRUE(edge.Next());
  EXPECT_EQ(edge.announced[7].sequence(), 2u);
  EXPECT_EQ(edge.announced[7].epoch(), position_.epoch());
  Publish(CustomEvent("s1", "a"));
  Publish(CustomEvent("s1", "b"));
  while (edge.sequences[7].size() < 2) ASSERT_TRUE(edge.Next());
  EXPECT_EQ(edge.sequences[7], (Sequences{3, 4}));
}

TEST_F(EdgeServiceTest, ASessionWithoutEventsIsAnnouncedAtZero) {
  Edge edge(server_.edges());
  edge.Begin(1, "later");
  while (edge.announced.count(1) == 0) ASSERT_TRUE(edge.Next());
  EXPECT_EQ(edge.announced[1].sequence(), 0u);
  EXPECT_EQ(edge.announced[1].epoch(), "");
  Publish(ProgressEvent("later", 1));
  while (edge.sequences[1].empty()) ASSERT_TRUE(edge.Next());
  EXPECT_EQ(edge.sequences[1], (Sequences{1}));
}

TEST_F(EdgeServiceTest, ManySessionsShareAStreamAndEachIsInOrder) {
  constexpr int kSessions = 20;
  constexpr int kEvents = 25;
  Edge edge(server_.edges());
  for (int i = 0; i < kSessions; ++i) edge.Begin(i, "s" + std::to_string(i));
  while (edge.announced.size() < kSessions) ASSERT_TRUE(edge.Next());
  Sequences expected;
  for (int n = 1; n <= kEvents; ++n) {
    expected.push_back(n);
    for (int i = 0; i < kSessions; ++i) Publish(CustomEvent("s" + std::to_string(i), "x"));
  }
  for (int i = 0; i < kSessions; ++i) {
    while (edge.sequences[i].size() < kEvents) ASSERT_TRUE(edge.Next());
    EXPECT_EQ(edge.sequences[i], expected);
  }
}

TEST_F(EdgeServiceTest, AnEndedInterestGetsNothingMore) {
  Edge edge(server_.edges());
  edge.Begin(1, "s1");
  edge.Begin(2, "s2");
  while (edge.announced.size() < 2) ASSERT_TRUE(edge.Next());
  edge.End(1);
  edge.Begin(3, "s3");
  while (edge.announced.count(3) == 0) ASSERT_TRUE(edge.Next());
  Publish(ProgressEvent("s1", 1));
  Publish(ProgressEvent("s2", 1));
  while (edge.sequences[2].empty()) ASSERT_TRUE(edge.Next());
  EXPECT_TRUE(edge.sequences[1].empty());
}

TEST_F(EdgeServiceTest, LargeEventsAreAllThereAndMessagesStaySmall) {
  const std::string text(200 * 1024, 'x');
  Edge edge(server_.edges());
  edge.Begin(1, "s1");
  edge.Begin(2, "s2");
  while (edge.announced.size() < 2) ASSERT_TRUE(edge.Next());
  for (int n = 0; n < 6; ++n) {
    Publish(CustomEvent("s1", text));
    Publish(CustomEvent("s2", text));
  }
  for (const uint32_t id : {1, 2}) {
    while (edge.sequences[id].size() < 6) ASSERT_TRUE(edge.Next());
    EXPECT_EQ(edge.sequences[id], (Sequences{1, 2, 3, 4, 5, 6}));
  }
}

TEST_F(EdgeServiceTest, AnInvalidSessionIdEndsTheStream) {
  Call call;
  const auto stream = server_.edges().Attach(&call);
  v1::AttachRequest request;
  request.add_begin()->set_session_id("../x");
  ASSERT_TRUE(stream->Write(request));
  v1::AttachResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(EdgeServiceTest, PagesGoOnBehindEachOther) {
  for (int n = 0; n < 10; ++n) Publish(CustomEvent("s1", std::string(1'000, 'x')));
  v1::ReadEventsRequest request = After("s1", {});
  request.set_page_bytes_max(3'500);
  Sequences all;
  v1::ReadEventsResponse page;
  do {
    page = Read(request);
    ASSERT_EQ(page.outcome(), v1::ReadEventsResponse::OUTCOME_PAGE);
    const Sequences sequences = SequencesOf(page.events());
    EXPECT_LE(sequences.size(), 3u);
    all.insert(all.end(), sequences.begin(), sequences.end());
    *request.mutable_after() = page.top();
    request.mutable_after()->set_sequence(page.through_sequence());
  } while (page.through_sequence() < page.top().sequence());
  EXPECT_EQ(all, (Sequences{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(EdgeServiceTest, AConflatedPageLeavesOutWhatWasSuperseded) {
  Publish(ProgressEvent("s1", 1));
  Publish(ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_PROCESSING, "a"));
  Publish(ResultEvent("s1", "n", v1::MODEL_RESULT_STATUS_PROCESSING, "a"));
  Publish(ProgressEvent("s1", 2));
  Publish(ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED, "ab"));
  Publish(CustomEvent("s1", "x"));
  v1::ReadEventsRequest request = After("s1", {});
  request.set_conflated(true);
  const v1::ReadEventsResponse page = Read(request);
  EXPECT_EQ(SequencesOf(page.events()), (Sequences{3, 4, 5, 6}));
  EXPECT_EQ(page.through_sequence(), 6u);
}

TEST_F(EdgeServiceTest, TheFoldComesInPagesToo) {
  for (int n = 0; n < 6; ++n) {
    Publish(ResultEvent("s1", "m" + std::to_string(n), v1::MODEL_RESULT_STATUS_COMPLETED,
                        std::string(1'000, 'x')));
    Publish(CustomEvent("s1", "x"));
  }
  v1::ReadEventsRequest request;
  request.set_session_id("s1");
  request.mutable_fold();
  request.set_page_bytes_max(3'500);
  const v1::ReadEventsResponse first = Read(request);
  EXPECT_EQ(SequencesOf(first.events()), (Sequences{1, 3, 5}));
  EXPECT_EQ(first.through_sequence(), 5u);
  request.mutable_fold()->set_after_sequence(first.through_sequence());
  const v1::ReadEventsResponse second = Read(request);
  EXPECT_EQ(SequencesOf(second.events()), (Sequences{7, 9, 11}));
  EXPECT_EQ(second.through_sequence(), 12u);
}

TEST_F(EdgeServiceTest, AllPiecesOfAFoldAreOfTheTopOfTheFirst) {
  for (int n = 0; n < 4; ++n) {
    Publish(ResultEvent("s1", "m" + std::to_string(n), v1::MODEL_RESULT_STATUS_COMPLETED,
                        std::string(1'000, 'x')));
  }
  v1::ReadEventsRequest request;
  request.set_session_id("s1");
  request.mutable_fold();
  request.set_page_bytes_max(2'500);
  const v1::ReadEventsResponse first = Read(request);
  EXPECT_EQ(SequencesOf(first.events()), (Sequences{1, 2}));
  // A result that must be delivered, and what takes its place; 3 has left the fold.
  Publish(ResultEvent("s1", "m2", v1::MODEL_RESULT_STATUS_FAILED, "x"));
  Publish(ResultEvent("s1", "m2", v1::MODEL_RESULT_STATUS_COMPLETED, "x"));
  request.mutable_fold()->set_after_sequence(first.through_sequence());
  *request.mutable_fold()->mutable_through() = first.top();
  const v1::ReadEventsResponse second = Read(request);
  EXPECT_EQ(SequencesOf(second.events()), (Sequences{4}));
  EXPECT_EQ(second.through_sequence(), 4u);
  EXPECT_EQ(second.top().sequence(), 6u);
  EXPECT_EQ(SequencesOf(Read(After("s1", first.top())).events()), (Sequences{5, 6}));
}

TEST_F(EdgeServiceTest, APositionThatIsNotThereIsAnOutcome) {
  Publish(ProgressEvent("s1", 1));
  v1::Position above = position_;
  above.set_sequence(2);
  const v1::ReadEventsResponse response = Read(After("s1", above));
  EXPECT_EQ(response.outcome(), v1::ReadEventsResponse::OUTCOME_OUT_OF_RANGE);
  EXPECT_EQ(response.top().sequence(), 1u);
}

TEST_F(EdgeServiceTest, APositionThatIsNotKeptAnyMoreIsAnOutcomeAndTheFoldIsThere) {
  control::ServerOptions options;
  options.store = "memory";
  options.broker.history.kept.events_max = 16;
  ControlServer server(options);
  for (int n = 1; n <= 40; ++n) {
    Call call;
    v1::PublishEventResponse response;
    const v1::Event event = n == 1 ? ProgressEvent("s1", 5) : CustomEvent("s1", "x");
    ASSERT_TRUE(server.sessions().PublishEvent(&call, PublishRequest(event), &response).ok());
  }
  Call from_start;
  v1::ReadEventsResponse response;
  ASSERT_TRUE(server.edges().ReadEvents(&from_start, After("s1", {}), &response).ok());
  EXPECT_EQ(response.outcome(), v1::ReadEventsResponse::OUTCOME_OUT_OF_RANGE);
  EXPECT_EQ(response.top().sequence(), 40u);
  v1::ReadEventsRequest request;
  request.set_session_id("s1");
  request.mutable_fold();
  Call fold;
  ASSERT_TRUE(server.edges().ReadEvents(&fold, request, &response).ok());
  EXPECT_EQ(SequencesOf(response.events()), (Sequences{1}));
  EXPECT_EQ(response.through_sequence(), 40u);
  // A later piece of a fold, behind whose top reading cannot go on.
  *request.mutable_fold()->mutable_through() = response.top();
  request.mutable_fold()->mutable_through()->set_sequence(2);
  Call later_piece;
  ASSERT_TRUE(server.edges().ReadEvents(&later_piece, request, &response).ok());
  EXPECT_EQ(response.outcome(), v1::ReadEventsResponse::OUTCOME_OUT_OF_RANGE);
}

TEST_F(EdgeServiceTest, ASessionWithoutEventsIsAnEmptyPage) {
  const v1::ReadEventsResponse response = Read(After("nobody", {}));
  EXPECT_EQ(response.outcome(), v1::ReadEventsResponse::OUTCOME_PAGE);
  EXPECT_EQ(response.top().sequence(), 0u);
  EXPECT_EQ(response.events_size(), 0);
}

}  // namespace
}  // namespace sessioncast::test
