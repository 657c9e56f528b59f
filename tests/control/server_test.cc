// The server around the services: addresses, health, reflection, limits, and what a publisher's
// stream does when the store fails.
#include "control/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "proto/rules.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"

namespace sessioncast::test {
namespace {

class Call : public grpc::ClientContext {
 public:
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30)); }
};

control::ServerOptions InMemory() {
  control::ServerOptions options;
  options.grpc_listen = "localhost:0";
  options.store = "memory";
  return options;
}

// A unary call of a service that we have no stub of.
struct RawAnswer {
  grpc::Status status;
  std::string bytes;
};

RawAnswer CallRaw(ControlServer& server, const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(server.channel());
  Call call;
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer request(&slice, 1);
  grpc::CompletionQueue queue;
  const auto rpc = stub.PrepareUnaryCall(&call, method, request, &queue);
  rpc->StartCall();
  grpc::ByteBuffer response;
  RawAnswer answer;
  rpc->Finish(&response, &answer.status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  std::vector<grpc::Slice> slices;
  if (response.Valid() && response.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices)
      answer.bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return answer;
}

grpc::Status Publish(ControlServer& server, v1::Event event) {
  Call call;
  v1::PublishEventResponse response;
  return server.sessions().PublishEvent(&call, PublishRequest(std::move(event)), &response);
}

// `depth` objects, each in the one before.
void Nest(google::protobuf::Struct& object, int depth) {
  google::protobuf::Struct* at = &object;
  for (int i = 1; i < depth; ++i) at = (*at->mutable_fields())["a"].mutable_struct_value();
}

TEST(ServerTest, LocalhostIsBothLoopbackAddressesOnOnePort) {
  ControlServer server;
  const auto second = control::Server::Start(InMemory());
  ASSERT_TRUE(second.ok());
  const std::vector<std::string> addresses = (*second)->addresses();
  ASSERT_GE(addresses.size(), 1u);
  EXPECT_EQ(addresses[0], "127.0.0.1:" + std::to_string((*second)->port()));
  for (const std::string& address : addresses) {
    const auto stub = v1::SessionService::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    Call call;
    v1::ListSessionsResponse response;
    EXPECT_TRUE(stub->ListSessions(&call, v1::ListSessionsRequest(), &response).ok()) << address;
  }
}

TEST(ServerTest, ASecondServerOnThePortFails) {
  ControlServer first;
  control::ServerOptions options = InMemory();
  options.grpc_listen = "127.0.0.1:" + std::to_string(first.port());
  const auto second = control::Server::Start(options);
  EXPECT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(options.grpc_listen), absl::string_view::npos)
      << second.status();
}

TEST(ServerTest, AWrongStoreOrAddressIsNamed) {
  control::ServerOptions store = InMemory();
  store.store = "sqlite:x";
  EXPECT_NE(control::Server::Start(store).status().message().find("sqlite:x"),
            absl::string_view::npos);
  for (const char* address : {"localhost", "localhost:x", ":1", "localhost:65536"}) {
    control::ServerOptions listen = InMemory();
    listen.grpc_listen = address;
    const auto server = control::Server::Start(listen);
    EXPECT_TRUE(absl::IsInvalidArgument(server.status())) << server.status();
  }
}

TEST(ServerTest, HealthSaysServing) {
  ControlServer server;
  const RawAnswer answer = CallRaw(server, "/grpc.health.v1.Health/Check", "");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.bytes, std::string("\x08\x01"));  // status: SERVING
}

TEST(ServerTest, AnEventAtTheLimitsOfDepthIsTakenAndOneDeeperIsNamed) {
  ControlServer server;
  v1::Event event = CompletedEvent("s1");
  Nest(*event.mutable_completed()->mutable_result(), kStructDepthMax + 1);
  const grpc::Status refused = Publish(server, event);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << refused.error_message();
  EXPECT_NE(refused.error_message().find("completed.result"), std::string::npos)
      << refused.error_message();
  event.clear_completed();
  Nest(*event.mutable_completed()->mutable_result(), kStructDepthMax);
  const grpc::Status taken = Publish(server, event);
  EXPECT_TRUE(taken.ok()) << taken.error_message();
}

TEST(ServerTest, AResultOfOneMebibyteIsTakenAndAMessageOverTheReceiveLimitIsRefused) {
  ControlServer server;
  const auto result = [](size_t bytes) {
    return ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED, std::string(bytes, 'x'));
  };
  EXPECT_TRUE(Publish(server, result(kResultEventBytesMax - 100)).ok());
  EXPECT_EQ(Publish(server, result(kResultEventBytesMax)).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Publish(server, result(2 * kResultEventBytesMax)).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  Call call;
  v1::StreamSessionRequest request;
  request.set_session_id("s1");
  const auto reader = server.sessions().StreamSession(&call, request);
  v1::StreamSessionResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.events(0).model_result().result().size(), kResultEventBytesMax - 100);
  call.TryCancel();
  reader->Finish();
}

TEST(ServerTest, ACompressedMessageIsRefused) {
  ControlServer server;
  Call call;
  call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::PublishEventResponse response;
  const grpc::Status status = server.sessions().PublishEvent(
      &call, PublishRequest(CustomEvent("s1", std::string(10'000, 'x'))), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  EXPECT_TRUE(Publish(server, CustomEvent("s1", "x")).ok());
}

TEST(ServerTest, BadMessagesOfTheEventStreamEndIt) {
  ControlServer server;
  Call call;
  const auto stream = server.sessions().PublishEvents(&call);
  ASSERT_TRUE(stream->Write(v1::PublishEventsRequest()));
  v1::PublishEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(ServerTest, StopEndsStreamsThatWaitAndKeepsWhatWasAcknowledged) {
  TemporaryDirectory directory;
  control::ServerOptions options = InMemory();
  options.store = "rocksdb:" + directory.path();
  options.stop_grace_ms = 60'000;  // past the calls' own deadline: they are told to end
  {
    ControlServer server(options);
    ASSERT_TRUE(Publish(server, CustomEvent("s1", "x")).ok());
    Call stream_call;
    v1::StreamSessionRequest request;
    request.set_session_id("later");
    const auto reader = server.sessions().StreamSession(&stream_call, request);
    reader->WaitForInitialMetadata();
    Call attach_call;
    const auto attached = server.edges().Attach(&attach_call);
    attached->WaitForInitialMetadata();
    server.Stop();
    v1::StreamSessionResponse response;
    EXPECT_FALSE(reader->Read(&response));
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(attached->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  ControlServer again(options);
  Call call;
  v1::GetSessionRequest request;
  request.set_session_id("s1");
  v1::GetSessionResponse response;
  EXPECT_TRUE(again.sessions().GetSession(&call, request, &response).ok());
}

}  // namespace
}  // namespace sessioncast::test
