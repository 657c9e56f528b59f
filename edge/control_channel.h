// The edge's way to control: where it is, and what it is shown.
//
// Threads: main, before anything starts; the channel belongs to all.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client_sdk/cpp/channel.h"

namespace CLI {
class App;
}

namespace sessioncast::edge {

struct ControlOptions {
  std::string address = "localhost:50051";  // HOST:PORT
  Credentials credentials;
};

// --control and --control_*.
void AddControlFlags(CLI::App& app, ControlOptions& options);

// It comes back quickly when control does. INVALID_ARGUMENT names the flag and the file of the
// credentials that cannot be used.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ControlChannel(const ControlOptions& options);

}  // namespace sessioncast::edge
