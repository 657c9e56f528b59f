#include <algorithm>
#include <iostream>
#include <numeric>
#include <thread>

#include "bench/load/process_usage.h"
#include "bench/load/run_parts.h"
#include "bench/load/runs.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr std::chrono::milliseconds kLookEvery{100};
constexpr std::chrono::seconds kSettlePatience{10};

int64_t SumOf(const std::vector<int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

// What the processes weigh once nothing of it changes between two looks.
Usage SettledUsage(const std::vector<pid_t>& pids) {
  Usage usage = UsageOf(pids);
  const int64_t deadline_ns = NowNs() + ToNs(kSettlePatience);
  for (int alike = 0; alike < 5 && NowNs() < deadline_ns;) {
    std::this_thread::sleep_for(kLookEvery);
    Usage next = UsageOf(pids);
    alike = SumOf(next.rss_kib) == SumOf(usage.rss_kib) ? alike + 1 : 0;
    usage = std::move(next);
  }
  return usage;
}

}  // namespace

nlohmann::json RunIdle(const IdleOptions& options) {
  const Usage before = SettledUsage(options.pids);
  std::vector<double> connect_s;
  Usage with;
  size_t connections = 0;
  int64_t cpu_us = 0;
  uint64_t lost = 0;
  for (int round = 0; round < options.rounds; ++round) {
    Fleet fleet(options.fleet);
    connections = fleet.connections();
    const Usage begin = UsageOf(options.pids);
    connect_s.push_back(ConnectOrThrow(fleet));
    cpu_us = UsageOf(options.pids).cpu_us - begin.cpu_us;
    with = SettledUsage(options.pids);
    std::cerr << "round " << round + 1 << " of " << options.rounds << ": " << connections
              << " connections in " << connect_s.back() << " s\n";
    lost += fleet.Stop().lost;
  }
  const Usage after = SettledUsage(options.pids);
  const double fastest_s = *std::min_element(connect_s.begin(), connect_s.end());
  const auto a_connection = [&](int64_t value) {
    return static_cast<double>(value) / static_cast<double>(connections);
  };
  return {
      {"connections", connections},
      {"connections_lost", lost},
      {"connect_s", connect_s},
      {"connects_a_second", static_cast<double>(connections) / fastest_s},
      {"rss_kib_before", before.rss_kib},
      {"rss_kib_with", with.rss_kib},
      {"rss_kib_after", after.rss_kib},
      {"bytes_a_connection", a_connection((SumOf(with.rss_kib) - SumOf(before.rss_kib)) * 1024)},
      {"cpu_us_a_connection", a_connection(cpu_us)}};
}

}  // namespace sessioncast::bench
