// A real control at a port, over a store that fails when it is told to; it can be stopped, and come
// back at the same port with what it had.
//
// Threads: one test's.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/broker.h"
#include "control/session_service.h"
#include "tests/control/faulty_store.h"
#include "tools/access/token.h"

namespace sessioncast::test {

class FaultyControl {
 public:
  // `verifier`: of the tokens that it asks for; null: none.
  explicit FaultyControl(control::BrokerOptions options = {},
                         std::shared_ptr<const access::TokenVerifier> verifier = nullptr)
      : options_(std::move(options)), access_(std::move(verifier)) {
    Start();
  }
  ~FaultyControl() { Stop(); }
  FaultyControl(const FaultyControl&) = delete;
  FaultyControl& operator=(const FaultyControl&) = delete;

  FaultyStore& store() { return store_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  void Start() {
    broker_ = std::make_unique<control::Broker>(store_, options_);
    service_ = std::make_unique<control::SessionService>(*broker_, access_, pacer_,
                                                         control::SessionServiceOptions{});
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  // Calls end as when the process dies.
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
    service_.reset();
    broker_.reset();
  }

 private:
  const control::BrokerOptions options_;
  FaultyStore store_;
  control::WritePacer pacer_{std::chrono::microseconds(250)};
  control::Access access_;
  int port_ = 0;
  std::unique_ptr<control::Broker> broker_;
  std::unique_ptr<control::SessionService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace sessioncast::test
