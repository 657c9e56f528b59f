// The raw limits: what the kernel, gRPC and the disk cost by themselves.
//
// Each blocks the thread that calls it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace sessioncast::bench {

struct FloorFanoutOptions {
  double rate = 1;  // events a second, of all sessions together
  uint32_t burst = 1;
  size_t text_bytes = 250;
};
// Subscribers as bench_load's get events that are made here, each with one send() of a ready frame;
// one thread, plain epoll. Prints "listening on PORT"; ends with SIGTERM.
int ServeFanout(const FloorFanoutOptions& options);

// A SessionService that answers each publish and does nothing. Prints "listening on PORT"; ends
// with SIGTERM.
int ServeGrpc();

struct FdatasyncOptions {
  std::string directory;
  std::chrono::duration<double> duration{3};
  size_t bytes = 4'096;  // a write
};
// Writes and fdatasyncs, one after another; prints {"p50": us, "p99": us, "calls_a_second": n}.
int MeasureFdatasync(const FdatasyncOptions& options);

}  // namespace sessioncast::bench
