#include "tools/daemon/grpc_log.h"

#include <grpc/support/log.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "spdlog/spdlog.h"
#include "tools/daemon/log.h"

namespace sessioncast::daemon {
namespace {

constexpr size_t kMessageBytesMax = 512;
constexpr int64_t kBetweenLinesMs = 1'000;

std::atomic<int64_t> next_line_ms{0};
std::atomic<int64_t> left_out{0};

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
  const int64_t now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::steady_clock::now().time_since_epoch())
                             .count();
  int64_t next_ms = next_line_ms.load();
  if (now_ms < next_ms ||
      !next_line_ms.compare_exchange_strong(next_ms, now_ms + kBetweenLinesMs)) {
    ++left_out;
    return;
  }
  const int64_t before = left_out.exchange(0);
  spdlog::log(LevelOf(line->severity), "gRPC: {}{}", ForLog(line->message, kMessageBytesMax),
              before == 0 ? "" : fmt::format(" (and {} lines before it)", before));
}

}  // namespace

void TakeGrpcLog() { gpr_set_log_function(Log); }

}  // namespace sessioncast::daemon
