// A real control server in this process, for tests: on a port that the system picks.
//
// Threads: one test's.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "control/server.h"
#include "sessioncast/v1/edge_service.grpc.pb.h"
#include "sessioncast/v1/session_service.grpc.pb.h"

namespace sessioncast::test {

// A directory that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// How a test reaches the server.
enum class Reach { kTcp, kInProcess };

class ControlServer {
 public:
  // `options` but for the address: localhost:0, if it is the default. A start that fails ends the
  // test program.
  explicit ControlServer(control::ServerOptions options, Reach reach = Reach::kTcp);
  // In memory.
  ControlServer();

  uint16_t port() const { return server_->port(); }
  std::string address() const;
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  v1::SessionService::Stub& sessions() { return *sessions_; }
  v1::EdgeService::Stub& edges() { return *edges_; }
  void Stop() { server_->Stop(); }

 private:
  std::unique_ptr<control::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::EdgeService::Stub> edges_;
};

}  // namespace sessioncast::test
