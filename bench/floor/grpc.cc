#include <chrono>
#include <iostream>
#include <memory>

#include "bench/floor/floor.h"
#include "grpcpp/grpcpp.h"
#include "sessioncast/v1/session_service.grpc.pb.h"
#include "tools/daemon/signals.h"

namespace sessioncast::bench {
namespace {

// Answers each message before it reads the next.
class PublishEventsReactor
    : public grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse> {
 public:
  PublishEventsReactor() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.Clear();
    for (int i = 0; i < request_.events_size(); ++i) response_.add_outcomes()->mutable_accepted();
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  v1::PublishEventsRequest request_;
  v1::PublishEventsResponse response_;
};

class EmptyService : public v1::SessionService::CallbackService {
 public:
  grpc::ServerUnaryReactor* PublishEvent(grpc::CallbackServerContext* context,
                                         const v1::PublishEventRequest* request,
                                         v1::PublishEventResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  grpc::ServerBidiReactor<v1::PublishEventsRequest, v1::PublishEventsResponse>* PublishEvents(
      grpc::CallbackServerContext* context) override {
    return new PublishEventsReactor();
  }
};

}  // namespace

int ServeGrpc() {
  daemon::StopSignals signals;
  EmptyService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::cout << "listening on " << port << std::endl;
  signals.Wait();
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

}  // namespace sessioncast::bench
