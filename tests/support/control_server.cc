#include "tests/support/control_server.h"

#include <grpcpp/create_channel.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::test {
namespace {

std::unique_ptr<control::Server> StartOrExit(control::ServerOptions options) {
  if (options.grpc_listen == control::ServerOptions().grpc_listen)
    options.grpc_listen = "localhost:0";
  auto server = control::Server::Start(std::move(options));
  if (!server.ok()) {
    std::fprintf(stderr, "control does not start: %s\n", server.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(server);
}

control::ServerOptions InMemory() {
  control::ServerOptions options;
  options.store = "memory";
  return options;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sessioncast-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror("mkdtemp");
    std::exit(1);
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ControlServer::ControlServer(control::ServerOptions options, Reach reach)
    : server_(StartOrExit(std::move(options))),
      channel_(reach == Reach::kInProcess
                   ? server_->InProcessChannel()
                   : grpc::CreateChannel(address(), grpc::InsecureChannelCredentials())),
      sessions_(v1::SessionService::NewStub(channel_)),
      edges_(v1::EdgeService::NewStub(channel_)) {}

ControlServer::ControlServer() : ControlServer(InMemory()) {}

std::string ControlServer::address() const { return absl::StrCat("127.0.0.1:", port()); }

}  // namespace sessioncast::test
