// The server around the services: addresses, health, reflection, limits, and what a publisher's
// stream does when the store fails.
#include "control/server.h"

#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "control/event.h"
#include "control/listener.h"
#include "proto/rules.h"
#include "sessioncast/v1/server_service.grpc.pb.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"
#include "tools/daemon/version.h"

namespace sessioncast::test {
namespace {

using std::string_literals::operator""s;

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

TEST(ServerTest, SaysWhatItIs) {
  control::ServerOptions options = InMemory();
  options.broker.history.kept.events_max = 500;
  ControlServer server(options);
  const auto stub = v1::ServerService::NewStub(server.channel());
  Call call;
  v1::GetServerResponse response;
  ASSERT_TRUE(stub->GetServer(&call, v1::GetServerRequest(), &response).ok());
  const v1::Server& said = response.server();
  EXPECT_EQ(said.version(), daemon::Version());
  EXPECT_LE(control::FromTimestamp(said.start_time()), control::FromTimestamp(said.time()));
  EXPECT_LT(absl::AbsDuration(control::FromTimestamp(said.time()) - absl::Now()),
            absl::Seconds(60));
  EXPECT_EQ(said.limits().event_bytes_max(), kEventBytesMax);
  EXPECT_EQ(said.limits().history_kept_events_max(), 500u);
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

// An edge by hand: HTTP/2 with all the window there is, on a socket with little room. It reads what it
// is told to, and nothing else.
class VanishingEdge {
 public:
  VanishingEdge(uint16_t port, const std::string& session_id)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int room_bytes = 4 * 1024;
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof(room_bytes));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    v1::AttachRequest request;
    request.add_begin()->set_interest_id(1);
    request.mutable_begin(0)->set_session_id(session_id);
    const std::string message = request.SerializeAsString();
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    SendFrame(kSettings, 0, 0, "\x00\x04"s + Number(kWindow));  // of each stream
    SendFrame(kWindowUpdate, 0, 0, Number(kWindow - 65'535));   // of the connection
    SendFrame(kHeaders, kEndHeaders, 1,
              Header(":method", "POST") + Header(":scheme", "http") +
                  Header(":path", "/sessioncast.v1.EdgeService/Attach") +
                  Header(":authority", "control") + Header("te", "trailers") +
                  Header("content-type", "application/grpc"));
    SendFrame(kData, 0, 1, "\0"s + Number(static_cast<uint32_t>(message.size())) + message);
  }

  // Reads until this has come, and nothing after it.
  void AwaitBytes(const std::string& bytes) {
    std::string got;
    char byte = 0;
    while (got.find(bytes) == std::string::npos && read(fd_.get(), &byte, 1) == 1) got += byte;
    EXPECT_NE(got.find(bytes), std::string::npos);
  }

  // The server's end of it; the server is in this process.
  int server_fd() const {
    const sockaddr_in ours = AddressOf(getsockname, fd_.get());
    for (int fd = 0; fd < kDescriptorsMax; ++fd) {
      const sockaddr_in peer = AddressOf(getpeername, fd);
      if (peer.sin_family == AF_INET && peer.sin_port == ours.sin_port) return fd;
    }
    ADD_FAILURE() << "the server has no such connection";
    return -1;
  }

 private:
  static constexpr char kData = 0;
  static constexpr char kHeaders = 1;
  static constexpr char kSettings = 4;
  static constexpr char kWindowUpdate = 8;
  static constexpr char kEndHeaders = 4;
  static constexpr uint32_t kWindow = 0x7fffffff;
  static constexpr int kDescriptorsMax = 1'024;

  static sockaddr_in AddressOf(int (*get)(int, sockaddr*, socklen_t*), int fd) {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    if (get(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    return address;
  }
  static std::string Number(uint32_t number) {
    const uint32_t big_endian = htonl(number);
    return std::string(reinterpret_cast<const char*>(&big_endian), sizeof(big_endian));
  }
  // A literal, not indexed.
  static std::string Header(const std::string& name, const std::string& value) {
    return "\0"s + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
  }
  void SendFrame(char type, char flags, uint32_t stream, const std::string& payload) {
    Send(Number(static_cast<uint32_t>(payload.size())).substr(1) + type + flags + Number(stream) +
         payload);
  }
  void Send(const std::string& bytes) {
    EXPECT_EQ(send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  control::Descriptor fd_;
};

TEST(ServerTest, StopEndsWhenAnEdgeHasVanishedInTheMiddleOfAWrite) {
  ControlServer server;
  VanishingEdge edge(server.port(), "s1");
  // What is published before it is there would be announced, not sent.
  v1::AttachResponse announcement;
  announcement.add_batches()->set_interest_id(1);
  announcement.mutable_batches(0)->mutable_announced();
  edge.AwaitBytes(announcement.SerializeAsString());
  ASSERT_TRUE(Publish(server, CustomEvent("s1", "it is attached")).ok());
  edge.AwaitBytes("it is attached");
  const int fd = edge.server_fd();
  const int room_bytes = 16 * 1024;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof(room_bytes));
  // More than the two ends have room for: what began to be written is never written.
  const v1::Event large = ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED,
                                      std::string(500'000, 'x'));
  ASSERT_TRUE(Publish(server, large).ok());
  const auto started = std::chrono::steady_clock::now();
  for (int held_bytes = 0; held_bytes < 8'000; ioctl(fd, SIOCOUTQ, &held_bytes)) {
    ASSERT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(30));
    std::this_thread::yield();
  }
  server.Stop();
}

}  // namespace
}  // namespace sessioncast::test
