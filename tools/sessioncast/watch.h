// What `sessioncast watch` does whichever way it shows it.
//
// Threads: as SessionStream's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "sessioncast/session_stream.h"
#include "tools/sessioncast/commands.h"

namespace sessioncast::tool {

struct WatchOptions {
  Target target;
  std::string session_id;
  std::string epoch;
  uint64_t after_sequence = 0;
  uint64_t count = 0;     // 0: all
  bool is_plain = false;  // lines, also in a terminal
};

// Who shows it: lines, or a live view. All of it comes on the thread that calls ReadSession.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void OnEvent(const v1::Event& event) = 0;
  // The events after the last one are gone; this is the state, and more events follow.
  virtual void OnResync(const v1::Snapshot& snapshot) = 0;
  // OK: control has the reader; else why it has not, and it is tried again.
  virtual void OnConnection(const absl::Status& connection) = 0;
};

SessionStreamOptions StreamOptionsFor(const WatchOptions& options, WatchSink& sink);

// To the session's end, or until `count` events have come, or Close. An error is for good.
absl::Status ReadSession(SessionStream& stream, uint64_t count, WatchSink& sink);

ExitCode WatchLive(const WatchOptions& options);

}  // namespace sessioncast::tool
