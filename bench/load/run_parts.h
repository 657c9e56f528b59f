// What the runs have in common.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bench/load/fleet.h"
#include "bench/load/histogram.h"
#include "bench/load/runs.h"
#include "bench/load/sender.h"
#include "nlohmann/json.hpp"

namespace sessioncast::bench {

// Blocks until CLOCK_MONOTONIC is there.
void SleepUntil(int64_t time_ns);

inline int64_t ToNs(std::chrono::duration<double> duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

// {"p50": us, ...}
nlohmann::json LatencyJson(const Histogram& latency_ns);

std::unique_ptr<Sender> MakeSender(const PublishOptions& options, Sender::OnOutcome on_outcome);

// Connects all, or throws std::runtime_error that says how far it came. Returns how long it took,
// in seconds.
double ConnectOrThrow(Fleet& fleet);

}  // namespace sessioncast::bench
