// sessioncast-edge: HTTP for browsers (Socket.IO, REST, the page, health). Knows control only
// through gRPC.
#include <chrono>
#include <cstdlib>
#include <iostream>

#include "CLI/CLI.hpp"
#include "edge/control_channel.h"
#include "edge/flags.h"
#include "edge/metrics.h"
#include "edge/server.h"
#include "spdlog/spdlog.h"
#include "tools/access/flags.h"
#include "tools/daemon/descriptors.h"
#include "tools/daemon/grpc_log.h"
#include "tools/daemon/lock_checks.h"
#include "tools/daemon/log.h"
#include "tools/daemon/metrics.h"
#include "tools/daemon/one_poller.h"
#include "tools/daemon/protobuf_log.h"
#include "tools/daemon/signals.h"
#include "tools/daemon/stop_deadline.h"
#include "tools/daemon/version.h"

int main(int argc, char** argv) {
  sessioncast::daemon::LeaveOutLockChecks();
  sessioncast::daemon::RaiseDescriptors();
  sessioncast::daemon::SilenceProtobuf();
  sessioncast::daemon::StopSignals signals;
  CLI::App app("sessioncast-edge: turns the events of sessions into Socket.IO for web clients");
  app.set_version_flag("--version", std::string(sessioncast::daemon::Version()));
  app.set_config("--config", "", "A file of flags, name=value a line");
  app.allow_config_extras(CLI::config_extras_mode::error);
  sessioncast::edge::ControlOptions control;
  sessioncast::edge::AddControlFlags(app, control);
  sessioncast::edge::ServerOptions options;
  sessioncast::edge::AddFlags(app, options);
  sessioncast::access::AddFlags(app, options.access.tokens);
  sessioncast::daemon::LogOptions log;
  sessioncast::daemon::AddLogFlags(app, log);
  sessioncast::daemon::MetricsOptions metrics_options;
  sessioncast::daemon::AddMetricsFlags(app, metrics_options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
  }
  if (absl::Status status = sessioncast::daemon::StartLog(log); !status.ok()) {
    std::cerr << status.message() << "\n";
    return 2;
  }
  sessioncast::daemon::TakeGrpcLog();
  spdlog::info("control is at {}", control.address);
  const sessioncast::daemon::OnePoller one_poller;
  const auto channel = sessioncast::edge::ControlChannel(control);
  if (!channel.ok()) {
    spdlog::error("{}", std::string(channel.status().message()));
    return 2;
  }
  auto server = sessioncast::edge::Server::Start(options, *channel);
  if (!server.ok()) {
    spdlog::error("{}", std::string(server.status().message()));
    return EXIT_FAILURE;
  }
  const auto metrics = sessioncast::daemon::MetricsListener::Start(
      metrics_options, {sessioncast::edge::MetricsOf(**server)});
  if (!metrics.ok()) {
    spdlog::error("{}", std::string(metrics.status().message()));
    return EXIT_FAILURE;
  }
  const int signal_number =
      signals.Wait([&server] { sessioncast::daemon::LogReload((*server)->ReloadKeys()); });
  spdlog::info("signal {}: closing", signal_number);
  const sessioncast::daemon::StopDeadline deadline(options.drain_time + std::chrono::seconds(5));
  (*metrics)->Detach();
  (*server)->Stop();
  return EXIT_SUCCESS;
}
