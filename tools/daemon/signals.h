// Waiting for SIGTERM or SIGINT.
//
// Threads: constructed first thing in main, before any other thread: it blocks the two signals for
// the thread and all that it starts, so that only Wait sees them. SIGPIPE is ignored from then on:
// a write to a closed socket is an error value.
#pragma once

namespace sessioncast::daemon {

class StopSignals {
 public:
  StopSignals();
  // Blocks until one arrives; returns its number.
  int Wait();
};

}  // namespace sessioncast::daemon
