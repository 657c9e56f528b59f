#include "tools/daemon/grpc_log.h"

#include <grpc/support/log.h>

#include <optional>
#include <string>

#include "spdlog/spdlog.h"
#include "tools/daemon/log.h"
#include "tools/daemon/log_gate.h"

namespace sessioncast::daemon {
namespace {

constexpr size_t kMessageBytesMax = 512;

spdlog::level::level_enum LevelOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_ERROR:
      return spdlog::level::warn;  // of a connection, seldom of ours
    case GPR_LOG_SEVERITY_INFO:
      return spdlog::level::info;
    default:
      return spdlog::level::debug;
  }
}

void Log(gpr_log_func_args* line) {
  static LogGate* const gate = new LogGate;  // gRPC's threads may outlive main
  const std::optional<std::string> end = gate->Pass(LogGate::Clock::now());
  if (!end) return;
  spdlog::log(LevelOf(line->severity), "gRPC: {}{}", ForLog(line->message, kMessageBytesMax), *end);
}

}  // namespace

void TakeGrpcLog() { gpr_set_log_function(Log); }
void DropGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace sessioncast::daemon
