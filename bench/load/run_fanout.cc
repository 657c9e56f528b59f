#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "bench/load/open_loop.h"
#include "bench/load/run_parts.h"
#include "bench/load/runs.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr int64_t kHeadStartNs = 100'000'000;
constexpr std::chrono::seconds kArrivalPatience{3};

void ShowUntil(int64_t time_ns, const Fleet& fleet, const OpenLoop* loop) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  for (int64_t now_ns = NowNs(); now_ns < time_ns; now_ns = NowNs()) {
    SleepUntil(std::min(time_ns, now_ns + kSecondNs));
    std::cerr << "\r" << fleet.subscribed() - fleet.lost() << " connections, "
              << (loop != nullptr ? loop->sent() : 0) << " events sent, " << fleet.deliveries()
              << " deliveries " << std::flush;
  }
}

// Waits for what is still on its way.
void AwaitArrivals(const Fleet& fleet, uint64_t expected) {
  const int64_t deadline_ns = NowNs() + ToNs(kArrivalPatience);
  while (fleet.deliveries() < expected && NowNs() < deadline_ns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::cerr << "\n";
}

}  // namespace

nlohmann::json RunFanout(const FanoutOptions& options) {
  Fleet fleet(options.fleet);
  const double connect_s = ConnectOrThrow(fleet);
  const int64_t begin_ns = NowNs() + kHeadStartNs;
  const int64_t window_begin_ns = begin_ns + ToNs(options.window.warm_up);
  const int64_t window_end_ns = window_begin_ns + ToNs(options.window.length);
  fleet.SetWindow(window_begin_ns, window_end_ns);
  std::unique_ptr<OpenLoop> loop;
  if (!options.publish.control.empty()) {
    const OpenLoop::Span span = {begin_ns, window_begin_ns, window_end_ns};
    loop = std::make_unique<OpenLoop>(options.publish, span);
  }
  ShowUntil(window_begin_ns, fleet, loop.get());
  const UsageMeter meter(options.window.pids);
  const uint64_t arrivals_before = fleet.arrivals();
  ShowUntil(window_end_ns, fleet, loop.get());
  const UsageMeter::Used used = meter.Read();
  const uint64_t arrivals = fleet.arrivals() - arrivals_before;
  OpenLoop::Counts counts;
  if (loop) counts = loop->Join();
  const uint64_t expected = counts.published * options.fleet.subscribers;
  AwaitArrivals(fleet, expected);
  const Tally tally = fleet.Stop();
  return {{"connections", fleet.connections()},
          {"connections_lost", tally.lost},
          {"connect_s", connect_s},
          {"window_s", options.window.length.count()},
          {"published", counts.published},
          {"acknowledged", counts.acknowledged},
          {"publish_failed", counts.failed},
          {"publish_latency_us", LatencyJson(counts.ack_latency_ns)},
          {"deliveries", tally.deliveries},
          {"expected", loop ? expected : tally.deliveries + tally.gaps},
          {"gaps", tally.gaps},
          {"duplicates", tally.duplicates},
          {"latency_us", LatencyJson(tally.latency_ns)},
          {"cpu_us_server", used.server_cpu_us},
          {"cpu_us_a_delivery", static_cast<double>(used.server_cpu_us) /
                                    std::max<double>(1, static_cast<double>(arrivals))},
          {"cpu_us_load", used.own_cpu_us},
          {"rss_kib", used.rss_kib}};
}

}  // namespace sessioncast::bench
