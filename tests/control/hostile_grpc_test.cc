// Bad input at control's gRPC port, over the network: what each is answered, that nothing of it is
// stored, and that who publishes and reads beside it notices nothing.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "proto/rules.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"
#include "tests/support/footprint.h"

namespace sessioncast::test {
namespace {

constexpr std::chrono::seconds kPatience{60};

class Call : public grpc::ClientContext {
 public:
  Call() { set_deadline(std::chrono::system_clock::now() + kPatience); }
};

// A connection that nobody else uses.
std::shared_ptr<grpc::Channel> OwnChannel(const ControlServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // a window of 64 KiB
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(server.address(), grpc::InsecureChannelCredentials(), arguments);
}

// One who publishes into a session, each event once the one before has arrived, and one who reads
// it.
class Beside {
 public:
  explicit Beside(const ControlServer& server)
      : publisher_(v1::SessionService::NewStub(OwnChannel(server))),
        reader_(v1::SessionService::NewStub(OwnChannel(server))),
        reading_([this] { Read(); }),
        publishing_([this] { Publish(); }) {}

  ~Beside() {
    if (publishing_.joinable()) Check();
  }

  // Three more events arrive, and nobody has seen an error.
  void Check() {
    {
      absl::MutexLock lock(&mutex_);
      stop_after_ = seen_ + 3;
    }
    publishing_.join();
    call_.TryCancel();
    reading_.join();
  }

 private:
  void Publish() {
    for (uint64_t sequence = 1;; ++sequence) {
      Call call;
      v1::PublishEventResponse response;
      const grpc::Status status =
          publisher_->PublishEvent(&call, PublishRequest(CustomEvent("beside", "x")), &response);
      ASSERT_TRUE(status.ok()) << status.error_message();
      ASSERT_EQ(response.position().sequence(), sequence);
      absl::MutexLock lock(&mutex_);
      const auto arrived = [this, sequence]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return seen_ >= sequence;
      };
      ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&arrived), absl::FromChrono(kPatience)))
          << "event " << sequence << " does not arrive";
      if (sequence >= stop_after_) return;
    }
  }

  void Read() {
    v1::StreamSessionRequest request;
    request.set_session_id("beside");
    const auto stream = reader_->StreamSession(&call_, request);
    v1::StreamSessionResponse response;
    while (stream->Read(&response)) {
      for (const v1::Event& event : response.events()) {
        absl::MutexLock lock(&mutex_);
        EXPECT_EQ(event.position().sequence(), seen_ + 1);
        seen_ = event.position().sequence();
      }
    }
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
  }

  const std::unique_ptr<v1::SessionService::Stub> publisher_;
  const std::unique_ptr<v1::SessionService::Stub> reader_;
  grpc::ClientContext call_;
  absl::Mutex mutex_;
  uint64_t seen_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t stop_after_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<uint64_t>::max();
  std::thread reading_;
  std::thread publishing_;
};

grpc::Status Publish(ControlServer& server, v1::Event event, const std::string& key = "") {
  Call call;
  v1::PublishEventResponse response;
  return server.sessions().PublishEvent(&call, PublishRequest(std::move(event), key), &response);
}

v1::Refusal PublishOnStream(ControlServer& server, v1::Event event) {
  Call call;
  const auto stream = server.sessions().PublishEvents(&call);
  v1::PublishEventsRequest request;
  *request.add_events() = PublishRequest(std::move(event));
  stream->Write(request);
  stream->WritesDone();
  v1::PublishEventsResponse response;
  stream->Read(&response);
  EXPECT_TRUE(stream->Finish().ok());
  return response.outcomes_size() == 1 ? response.outcomes(0).refused() : v1::Refusal();
}

uint64_t TopOf(ControlServer& server, const std::string& session_id) {
  Call call;
  v1::GetSessionRequest request;
  request.set_session_id(session_id);
  v1::GetSessionResponse response;
  const grpc::Status status = server.sessions().GetSession(&call, request, &response);
  EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND);
  return response.snapshot().position().sequence();
}

v1::Event WithPayload(const std::function<void(google::protobuf::Struct&)>& fill) {
  v1::Event event = CustomEvent("s1", "x");
  fill(*event.mutable_custom()->mutable_data());
  return event;
}

// `depth` objects, each under the key `a` of the one before.
v1::Event Nested(int depth) {
  return WithPayload([depth](google::protobuf::Struct& object) {
    google::protobuf::Struct* at = &object;
    for (int i = 1; i < depth; ++i) at = (*at->mutable_fields())["a"].mutable_struct_value();
  });
}

// The key in an object, in a list, in an object.
v1::Event WithKey(const std::string& key) {
  return WithPayload([&key](google::protobuf::Struct& object) {
    google::protobuf::Value& list = (*object.mutable_fields())["rows"];
    google::protobuf::Value& row = *list.mutable_list_value()->add_values();
    (*row.mutable_struct_value()->mutable_fields())[key].set_bool_value(true);
  });
}

struct Bad {
  std::string name;
  v1::Event event;
  std::string said;  // the field and the limit
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class HostileGrpcEventTest : public testing::TestWithParam<Bad> {};

TEST_P(HostileGrpcEventTest, IsInvalidNamesTheFieldAndIsNotStored) {
  ControlServer server;
  Beside beside(server);
  const grpc::Status status = Publish(server, GetParam().event);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_NE(status.error_message().find(GetParam().said), std::string::npos)
      << status.error_message();
  EXPECT_LT(status.error_message().size(), 2'048u);
  const v1::Refusal refusal = PublishOnStream(server, GetParam().event);
  EXPECT_EQ(refusal.code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(refusal.message(), status.error_message());
  EXPECT_EQ(TopOf(server, "s1"), 0u);
  EXPECT_TRUE(Publish(server, CustomEvent("s1", "x")).ok());
  EXPECT_EQ(TopOf(server, "s1"), 1u);
  beside.Check();
}

std::vector<Bad> BadEvents() {
  std::vector<Bad> all = {
      {"EmptyId", CustomEvent("", "x"), "session_id: must have 1 to 128"},
      {"LongId", CustomEvent(std::string(129, 'x'), "x"), "session_id: must have 1 to 128"},
      {"PathForAnId", CustomEvent("../x", "x"), "session_id: may contain only"},
      {"NulInTheId", CustomEvent(std::string("a\0b", 3), "x"), "session_id: may contain only"},
      {"ProtoForAnId", CustomEvent("__proto__", "x"), "session_id: '__proto__' is reserved"},
      {"ProgressBelowZero", ProgressEvent("s1", -1), "progress.percent: must be 0 to 100"},
      {"ProgressOver", ProgressEvent("s1", 101), "progress.percent: must be 0 to 100"},
      {"ProgressNaN", ProgressEvent("s1", std::nan("")), "progress.percent: must be 0 to 100"},
      {"ProgressInfinite", ProgressEvent("s1", HUGE_VAL), "progress.percent: must be 0 to 100"},
      {"TooDeep", Nested(kStructDepthMax + 1), "a.a: at most 32 levels of nesting"},
      {"TooLarge", CustomEvent("s1", std::string(kEventBytesMax, 'x')), "event: at most 262144"},
      {"ResultTooLarge",
       ResultEvent("s1", "m", v1::MODEL_RESULT_STATUS_COMPLETED,
                   std::string(kResultEventBytesMax, 'x')),
       "event: at most 1048576"},
      {"ValueWithoutKind",
       WithPayload([](google::protobuf::Struct& object) { (*object.mutable_fields())["a"]; }),
       "custom.data.a: a value has no kind"},
      {"NaNInAPayload",
       WithPayload([](google::protobuf::Struct& object) {
         (*object.mutable_fields())["a"].set_number_value(std::nan(""));
       }),
       "custom.data.a: numbers must be finite"},
  };
  v1::Event no_kind;
  no_kind.set_session_id("s1");
  all.push_back({"NoKind", no_kind, "kind: must be set"});
  v1::Event positioned = CustomEvent("s1", "x");
  *positioned.mutable_position() = PositionAt("mine", 7);
  all.push_back({"ItsOwnPosition", positioned, "position: is set by control"});
  for (const char* key : {"__proto__", "constructor", "prototype", "hasOwnProperty", "toString"}) {
    std::string name = key;
    std::erase(name, '_');
    all.push_back({"Key" + name, WithKey(key),
                   "custom.data.rows." + std::string(key) + ": may not be a key"});
  }
  // A path that is longer than an answer may be, and not plain.
  all.push_back({"KeyUnderOneOfTheCallers", WithPayload([](google::protobuf::Struct& object) {
                   google::protobuf::Value& value =
                       (*object.mutable_fields())["\n" + std::string(100'000, 'k')];
                   (*value.mutable_struct_value()->mutable_fields())["__proto__"];
                 }),
                 "custom.data.?" + std::string(31, 'k') + "....__proto__: may not be a key"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Each, HostileGrpcEventTest, testing::ValuesIn(BadEvents()),
                         [](const testing::TestParamInfo<Bad>& info) { return info.param.name; });

class HostileGrpcTest : public testing::Test {
 protected:
  ControlServer server_;
  Beside beside_{server_};
};

TEST_F(HostileGrpcTest, AMessageOverTheReceiveLimitIsRefusedAndNotStored) {
  v1::Event event = CustomEvent("s1", std::string(3 * 1024 * 1024, 'x'));
  EXPECT_EQ(Publish(server_, event).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Call call;
  const auto stream = server_.sessions().PublishEvents(&call);
  v1::PublishEventsRequest request;
  *request.add_events() = PublishRequest(event);
  stream->Write(request);
  v1::PublishEventsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(TopOf(server_, "s1"), 0u);
  beside_.Check();
}

TEST_F(HostileGrpcTest, BytesThatAreNoMessageAreRefused) {
  grpc::GenericStub stub(OwnChannel(server_));
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff"), std::string("\x0a\xff\xff\xff\xff\x0f"),
        std::string("\x0a\x04\x0a\x02\xc3\x28"),
        PublishRequest(Nested(90)).SerializeAsString()}) {
    for (const char* method : {"PublishEvent", "StreamSession", "GetSession"}) {
      Call call;
      grpc::CompletionQueue queue;
      const grpc::Slice slice(bytes);
      const auto rpc = stub.PrepareUnaryCall(
          &call, std::string("/sessioncast.v1.SessionService/") + method,
          grpc::ByteBuffer(&slice, 1), &queue);
      rpc->StartCall();
      grpc::ByteBuffer response;
      grpc::Status status;
      rpc->Finish(&response, &status, nullptr);
      void* tag = nullptr;
      bool ok = false;
      ASSERT_TRUE(queue.Next(&tag, &ok));
      EXPECT_FALSE(status.ok()) << method;
    }
  }
  beside_.Check();
}

TEST(HostileGrpcLimitTest, MetadataOverItsLimitIsRefusedAndOthersGoOn) {
  control::ServerOptions options;
  options.store = "memory";
  options.metadata_bytes_max = 4'096;
  ControlServer server(options);
  Beside beside(server);
  // A megabyte ends its connection: each has its own.
  const auto status_with = [&server](size_t bytes) {
    const auto stub = v1::SessionService::NewStub(OwnChannel(server));
    Call call;
    call.AddMetadata("x", std::string(bytes, 'x'));
    v1::PublishEventResponse response;
    return stub->PublishEvent(&call, PublishRequest(CustomEvent("s1", "x")), &response);
  };
  EXPECT_TRUE(status_with(3'500).ok());  // beside what gRPC itself sends
  EXPECT_EQ(status_with(4'096).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(status_with(1'000'000).ok());
  EXPECT_TRUE(status_with(0).ok());
  EXPECT_EQ(TopOf(server, "s1"), 2u);
  beside.Check();
}

TEST(HostileGrpcLimitTest, ACallOverTheLimitOfAConnectionWaitsForAnothersEnd) {
  control::ServerOptions options;
  options.store = "memory";
  options.concurrent_streams_max = 2;
  ControlServer server(options);
  const auto stub = v1::SessionService::NewStub(OwnChannel(server));
  v1::StreamSessionRequest request;
  request.set_session_id("s1");
  Call first_call;
  const auto first = stub->StreamSession(&first_call, request);
  first->WaitForInitialMetadata();
  Call second_call;
  const auto second = stub->StreamSession(&second_call, request);
  second->WaitForInitialMetadata();
  grpc::ClientContext third_call;
  third_call.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  v1::PublishEventResponse response;
  EXPECT_EQ(stub->PublishEvent(&third_call, PublishRequest(CustomEvent("s1", "x")), &response)
                .error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(TopOf(server, "s1"), 0u);  // on another connection
  first_call.TryCancel();
  first->Finish();
  Call fourth_call;
  EXPECT_TRUE(
      stub->PublishEvent(&fourth_call, PublishRequest(CustomEvent("s1", "x")), &response).ok());
  second_call.TryCancel();
  second->Finish();
}

TEST_F(HostileGrpcTest, NothingIsStoredAfterTheEnd) {
  ASSERT_TRUE(Publish(server_, CompletedEvent("s1")).ok());
  EXPECT_EQ(Publish(server_, CustomEvent("s1", "x")).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(PublishOnStream(server_, ProgressEvent("s1", 1)).code(),
            static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
  EXPECT_EQ(TopOf(server_, "s1"), 1u);
  beside_.Check();
}

TEST_F(HostileGrpcTest, AKeyIsNotTakenForAnotherPayload) {
  ASSERT_TRUE(Publish(server_, CustomEvent("s1", "x"), "key").ok());
  EXPECT_EQ(Publish(server_, CustomEvent("s1", "y"), "key").error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(Publish(server_, CustomEvent("s1", "x"), std::string(129, 'k')).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(TopOf(server_, "s1"), 1u);
  beside_.Check();
}

TEST_F(HostileGrpcTest, APositionThatIsNotThereIsAnsweredWithTheSnapshots) {
  ASSERT_TRUE(Publish(server_, CustomEvent("s1", "x")).ok());
  for (const v1::Position& after :
       {PositionAt("another", 1), PositionAt("", uint64_t{1} << 63), PositionAt("__proto__", 0),
        PositionAt(std::string(100'000, 'x'), std::numeric_limits<uint64_t>::max())}) {
    Call call;
    v1::StreamSessionRequest request;
    request.set_session_id("s1");
    *request.mutable_after() = after;
    const auto stream = server_.sessions().StreamSession(&call, request);
    v1::StreamSessionResponse response;
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE) << status.error_message();
    v1::StatusDetails details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    v1::ErrorDetail detail;
    ASSERT_EQ(details.details_size(), 1);
    ASSERT_TRUE(details.details(0).UnpackTo(&detail));
    EXPECT_EQ(detail.snapshot_position().sequence(), 1u);
  }
  beside_.Check();
}

TEST_F(HostileGrpcTest, StreamsThatAreNeverReadHoldAMessageEach) {
  constexpr int kStreams = 100;
  constexpr int kEvents = 40;
  constexpr size_t kEventBytes = 200'000;
  for (int i = 0; i < kEvents; ++i)
    ASSERT_TRUE(Publish(server_, CustomEvent("s1", std::string(kEventBytes, 'x'))).ok());
  const size_t before = tests::LiveHeapBytes();
  const auto stub = v1::SessionService::NewStub(OwnChannel(server_));
  v1::StreamSessionRequest request;
  request.set_session_id("s1");
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::StreamSessionResponse>>> streams;
  for (int i = 0; i < kStreams; ++i) {
    calls.push_back(std::make_unique<Call>());
    streams.push_back(stub->StreamSession(calls.back().get(), request));
    streams.back()->WaitForInitialMetadata();
  }
  beside_.Check();
  const size_t held = tests::LiveHeapBytes() - before;
  // All of the session, for each, would be 800 MB. Theirs and ours of a stream: a message that is
  // written, twice while it is serialized, and what is under way.
  EXPECT_LT(held, kStreams * 5 * kEventBytes);
  for (int i = 0; i < kStreams; ++i) {
    calls[i]->TryCancel();
    EXPECT_EQ(streams[i]->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(HostileGrpcTest, TwentyThousandCallsThatAreCancelledAreNoticedByNobody) {
  constexpr int kCalls = 20'000;
  constexpr int kAtATime = 100;
  const auto stub = v1::SessionService::NewStub(OwnChannel(server_));
  v1::StreamSessionRequest request;
  request.set_session_id("s1");
  v1::GetSessionRequest other;
  other.set_session_id("s1");
  for (int done = 0; done < kCalls; done += kAtATime) {
    grpc::CompletionQueue queue;
    std::vector<std::unique_ptr<Call>> calls;
    std::vector<std::unique_ptr<grpc::ClientAsyncReader<v1::StreamSessionResponse>>> streams;
    std::vector<grpc::Status> statuses(kAtATime);
    for (int i = 0; i < kAtATime; ++i) {
      calls.push_back(std::make_unique<Call>());
      streams.push_back(stub->AsyncStreamSession(calls.back().get(), request, &queue, nullptr));
      calls.back()->TryCancel();
      streams.back()->Finish(&statuses[i], nullptr);
    }
    void* tag = nullptr;
    bool ok = false;
    // Each begins and finishes.
    for (int i = 0; i < 2 * kAtATime; ++i) ASSERT_TRUE(queue.Next(&tag, &ok));
    for (const grpc::Status& status : statuses)
      ASSERT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
    // To whoever cancels a call it has ended at once. So many wait for control at a time, no more:
    // how fast they come it cannot bound, and a machine that is slow enough does nothing else then.
    Call call;
    v1::GetSessionResponse response;
    ASSERT_EQ(stub->GetSession(&call, other, &response).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
  EXPECT_EQ(TopOf(server_, "s1"), 0u);
  beside_.Check();
}

}  // namespace
}  // namespace sessioncast::test
