// Log set-up for our programs. Code everywhere logs through spdlog's functions (spdlog::info, ...);
// this decides level, format and place: standard error, one line an entry.
//
// Threads: StartLog once, first thing in main; logging itself from any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace sessioncast::daemon {

struct LogOptions {
  std::string level = "info";   // trace, debug, info, warn, error, off
  std::string format = "text";  // text, json
};

// --log_level and --log_format.
void AddLogFlags(CLI::App& app, LogOptions& options);

absl::Status StartLog(const LogOptions& options);

// What came of reading again what SIGHUP asks to read again.
void LogReload(const absl::Status& status);

// `text` as it may stand in a log line: control characters and quotes escaped, at most `bytes_max`
// bytes of it.
std::string ForLog(std::string_view text, size_t bytes_max = 128);

}  // namespace sessioncast::daemon
