// `serve`: control and edge in one process, over gRPC's in-process channel.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "CLI/CLI.hpp"
#include "control/flags.h"
#include "control/metrics.h"
#include "control/server.h"
#include "edge/flags.h"
#include "edge/metrics.h"
#include "edge/server.h"
#include "spdlog/spdlog.h"
#include "tools/access/flags.h"
#include "tools/daemon/descriptors.h"
#include "tools/daemon/grpc_log.h"
#include "tools/daemon/log.h"
#include "tools/daemon/metrics.h"
#include "tools/daemon/one_poller.h"
#include "tools/daemon/protobuf_log.h"
#include "tools/daemon/signals.h"
#include "tools/daemon/stop_deadline.h"
#include "tools/sessioncast/commands.h"

namespace sessioncast::tool {
namespace {

struct ServeOptions {
  control::ServerOptions control;
  edge::ServerOptions edge;
  access::Options access;
  daemon::LogOptions log;
  daemon::MetricsOptions metrics;
};

// A terminal that closes sends SIGHUP too: with nothing to read again it stops. What TLS has is
// looked at once a second anyway.
int WaitForStop(daemon::StopSignals& signals, const ServeOptions& options,
                control::Server& control, edge::Server& edge) {
  if (options.access.tokens.keys.empty() && options.control.tls.cert_file.empty())
    return signals.Wait();
  return signals.Wait([&control, &edge] {
    absl::Status status = control.ReloadKeys();
    status.Update(edge.ReloadKeys());
    daemon::LogReload(status);
  });
}

ExitCode Serve(ServeOptions options) {
  daemon::RaiseDescriptors();
  daemon::SilenceProtobuf();
  daemon::StopSignals signals;
  if (absl::Status status = daemon::StartLog(options.log); !status.ok()) {
    std::cerr << status.message() << "\n";
    return kUsage;
  }
  daemon::TakeGrpcLog();
  options.edge.access.tokens = options.access;
  options.control.access = options.access;
  const daemon::OnePoller one_poller;
  auto control = control::Server::Start(options.control);
  if (!control.ok()) {
    spdlog::error("{}", std::string(control.status().message()));
    return kRefused;
  }
  auto edge = edge::Server::Start(options.edge, (*control)->InProcessChannel());
  if (!edge.ok()) {
    spdlog::error("{}", std::string(edge.status().message()));
    (*control)->Stop();
    return kRefused;
  }
  const auto metrics = daemon::MetricsListener::Start(
      options.metrics, {control::MetricsOf(**control), edge::MetricsOf(**edge)});
  if (!metrics.ok()) {
    spdlog::error("{}", std::string(metrics.status().message()));
    (*edge)->Stop();
    (*control)->Stop();
    return kRefused;
  }
  const int signal_number = WaitForStop(signals, options, **control, **edge);
  spdlog::info("signal {}: closing", signal_number);
  const daemon::StopDeadline deadline(options.edge.drain_time +
                                      std::chrono::milliseconds(options.control.stop_grace_ms) +
                                      std::chrono::seconds(10));
  (*metrics)->Detach();
  (*edge)->Stop();  // first, so that no client sees control go
  (*control)->Stop();
  return kDone;
}

}  // namespace

void AddServe(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "serve", "Run control and edge in one process: gRPC for publishers, Socket.IO for browsers");
  const auto options = std::make_shared<ServeOptions>();
  control::AddFlags(*command, options->control);
  edge::AddFlags(*command, options->edge);
  access::AddFlags(*command, options->access);
  daemon::AddLogFlags(*command, options->log);
  daemon::AddMetricsFlags(*command, options->metrics);
  command->callback([options, &exit_code] { exit_code = Serve(*options); });
}

}  // namespace sessioncast::tool
