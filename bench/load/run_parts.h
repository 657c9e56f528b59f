// What the runs have in common.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/fleet.h"
#include "bench/load/histogram.h"
#include "bench/load/process_usage.h"
#include "bench/load/runs.h"
#include "bench/load/sender.h"
#include "nlohmann/json.hpp"

namespace sessioncast::bench {

// Blocks until CLOCK_MONOTONIC is there.
void SleepUntil(int64_t time_ns);

inline int64_t ToNs(std::chrono::duration<double> duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

// What the server's processes and this one use from here on.
class UsageMeter {
 public:
  explicit UsageMeter(const std::vector<pid_t>& pids)
      : pids_(pids), before_(UsageOf(pids)), own_before_us_(OwnCpuUs()) {}

  struct Used {
    int64_t server_cpu_us = 0;
    int64_t own_cpu_us = 0;
    std::vector<int64_t> rss_kib;  // now, a process
  };
  Used Read() const;

 private:
  const std::vector<pid_t> pids_;
  const Usage before_;
  const int64_t own_before_us_;
};

// {"p50": us, ...}
nlohmann::json LatencyJson(const Histogram& latency_ns);

std::unique_ptr<Sender> MakeSender(const PublishOptions& options, Sender::OnOutcome on_outcome);

// Connects all, or throws std::runtime_error that says how far it came. Returns how long it took,
// in seconds.
double ConnectOrThrow(Fleet& fleet);

}  // namespace sessioncast::bench
