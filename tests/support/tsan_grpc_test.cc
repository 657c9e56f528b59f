// Of tsan_grpc.cc, in the preset `tsan` only: what gRPC does not order is a race also beside what it orders. That what
// it orders is none is what the tests of the services find.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast {
namespace {

class Service : public v1::SessionService::CallbackService {
 public:
  explicit Service(std::function<void()> handle) : handle_(std::move(handle)) {}

  grpc::ServerUnaryReactor* GetSession(grpc::CallbackServerContext* context, const v1::GetSessionRequest*,
                                       v1::GetSessionResponse*) override {
    handle_();
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  const std::function<void()> handle_;
};

// Both in a process of its own: see tsan_abseil_test.cc.
const auto kNoRace = testing::ExitedWithCode(0);
const auto kRace = testing::ExitedWithCode(66);

class TsanGrpcDeathTest : public testing::Test {
 protected:
  TsanGrpcDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  void Serve(std::function<void()> handle) {
    service_ = std::make_unique<Service>(std::move(handle));
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::SessionService::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
  }
  void Call() {
    grpc::ClientContext context;
    v1::GetSessionResponse response;
    if (!stub_->GetSession(&context, v1::GetSessionRequest(), &response).ok()) std::abort();
  }
  // In the handlers of both at one time.
  void CallTwice(std::function<void()> handle) {
    std::atomic<int> come = 0;
    Serve([&come, handle] {
      come.fetch_add(1, std::memory_order_relaxed);
      while (come.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      handle();
    });
    std::thread one([this] { Call(); });
    std::thread two([this] { Call(); });
    one.join();
    two.join();
    Stop();
  }
  void Stop() {
    server_->Shutdown();
    std::exit(0);
  }

  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SessionService::Stub> stub_;
  absl::Mutex mutex_;
  int count_ = 0;
};

TEST_F(TsanGrpcDeathTest, WhatTwoHandlersTouchIsARaceWithoutAMutex) {
  EXPECT_EXIT(CallTwice([this] { ++count_; }), kRace, "data race");
  const auto guarded = [this] {
    absl::MutexLock lock(&mutex_);
    ++count_;
  };
  EXPECT_EXIT(CallTwice(guarded), kNoRace, "");
}

TEST_F(TsanGrpcDeathTest, WhatComesAfterTheStartOfACallIsARaceWithItsCallback) {
  const auto call = [this] {
    Serve([] {});
    grpc::ClientContext context;
    const v1::GetSessionRequest request;
    v1::GetSessionResponse response;
    std::atomic<bool> done = false;
    stub_->async()->GetSession(&context, &request, &response, [&](const grpc::Status&) {
      ++count_;
      done.store(true, std::memory_order_relaxed);
    });
    ++count_;
    while (!done.load(std::memory_order_relaxed)) std::this_thread::yield();
    Stop();
  };
  EXPECT_EXIT(call(), kRace, "data race");
}

}  // namespace
}  // namespace sessioncast
