// Waiting for SIGTERM or SIGINT, and for SIGHUP, which reads again what can be read again.
//
// Threads: constructed first thing in main, before any other thread: it blocks the signals for
// the thread and all that it starts, so that only Wait sees them. SIGPIPE is ignored from then on:
// a write to a closed socket is an error value.
#pragma once

#include <functional>

namespace sessioncast::daemon {

class StopSignals {
 public:
  StopSignals();
  // Blocks until one arrives; returns its number. SIGHUP calls `reload`, and waiting goes on;
  // without one it stops like the others (a terminal that closes), unless it is ignored (nohup).
  int Wait(const std::function<void()>& reload = nullptr);

 private:
  const bool ignores_hangup_;
};

}  // namespace sessioncast::daemon
