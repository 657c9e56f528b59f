// sessioncast-control: orders, keeps and hands out events. gRPC only.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "control/flags.h"
#include "control/metrics.h"
#include "control/server.h"
#include "spdlog/spdlog.h"
#include "tools/access/flags.h"
#include "tools/daemon/grpc_log.h"
#include "tools/daemon/lock_checks.h"
#include "tools/daemon/log.h"
#include "tools/daemon/metrics.h"
#include "tools/daemon/one_poller.h"
#include "tools/daemon/signals.h"
#include "tools/daemon/stop_deadline.h"
#include "tools/daemon/version.h"

namespace {

constexpr int kExitUsage = 2;

int Run(const sessioncast::control::ServerOptions& options,
        const sessioncast::daemon::MetricsOptions& metrics_options,
        sessioncast::daemon::StopSignals& signals) {
  const sessioncast::daemon::OnePoller one_poller;
  const auto server = sessioncast::control::Server::Start(options);
  if (!server.ok()) {
    spdlog::error("control does not start: {}", std::string(server.status().message()));
    return 1;
  }
  const auto metrics = sessioncast::daemon::MetricsListener::Start(
      metrics_options, {sessioncast::control::MetricsOf(**server)});
  if (!metrics.ok()) {
    spdlog::error("control does not start: {}", std::string(metrics.status().message()));
    return 1;
  }
  const int signal =
      signals.Wait([&server] { sessioncast::daemon::LogReload((*server)->ReloadKeys()); });
  spdlog::info("control stops: signal {}", signal);
  const sessioncast::daemon::StopDeadline deadline(
      std::chrono::milliseconds(options.stop_grace_ms) + std::chrono::seconds(5));
  (*metrics)->Detach();
  (*server)->Stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  sessioncast::daemon::LeaveOutLockChecks();
  sessioncast::daemon::StopSignals signals;
  sessioncast::control::ServerOptions options;
  sessioncast::daemon::LogOptions log;
  sessioncast::daemon::MetricsOptions metrics;
  CLI::App app(
      "sessioncast-control orders, keeps and hands out the events of sessions, over gRPC.");
  app.set_version_flag("--version", std::string(sessioncast::daemon::Version()));
  app.set_config("--config", "", "A file with flags, one NAME=VALUE a line");
  app.allow_config_extras(CLI::config_extras_mode::error);
  sessioncast::control::AddFlags(app, options);
  sessioncast::access::AddFlags(app, options.access);
  sessioncast::daemon::AddLogFlags(app, log);
  sessioncast::daemon::AddMetricsFlags(app, metrics);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (const absl::Status status = sessioncast::daemon::StartLog(log); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kExitUsage;
  }
  sessioncast::daemon::TakeGrpcLog();
  return Run(options, metrics, signals);
}
