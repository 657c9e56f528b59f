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
// Freed memory goes back over 5 s (tools/daemon/allocator.cc), in steps that may be 3 s apart.
constexpr std::chrono::seconds kFallQuiet{5};
constexpr std::chrono::seconds kFallPatience{15};

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

// What the processes weigh once they give nothing back any more.
Usage FallenUsage(const std::vector<pid_t>& pids) {
  Usage usage = UsageOf(pids);
  int64_t lowest_kib = SumOf(usage.rss_kib);
  int64_t fell_ns = NowNs();
  const int64_t deadline_ns = fell_ns + ToNs(kFallPatience);
  while (NowNs() < std::min(deadline_ns, fell_ns + ToNs(kFallQuiet))) {
    std::this_thread::sleep_for(kLookEvery);
    usage = UsageOf(pids);
    if (SumOf(usage.rss_kib) >= lowest_kib) continue;
    lowest_kib = SumOf(usage.rss_kib);
    fell_ns = NowNs();
  }
  return usage;
}

struct Round {
  double connect_s = 0;
  int64_t cpu_us = 0;  // while they connected
  Usage with;
  Usage after;
  uint64_t lost = 0;
};

Round ComeAndGo(const IdleOptions& options) {
  Round round;
  Fleet fleet(options.fleet);
  const Usage begin = UsageOf(options.pids);
  round.connect_s = ConnectOrThrow(fleet);
  round.cpu_us = UsageOf(options.pids).cpu_us - begin.cpu_us;
  round.with = SettledUsage(options.pids);
  round.lost = fleet.Stop().lost;
  round.after = FallenUsage(options.pids);
  return round;
}

}  // namespace

nlohmann::json RunIdle(const IdleOptions& options) {
  const Usage before = SettledUsage(options.pids);
  std::vector<Round> rounds;
  nlohmann::json connect_s, rss_kib_after;
  uint64_t lost = 0;
  for (int i = 1; i <= options.rounds; ++i) {
    const Round& round = rounds.emplace_back(ComeAndGo(options));
    std::cerr << "round " << i << " of " << options.rounds << ": connected in " << round.connect_s
              << " s\n";
    connect_s.push_back(round.connect_s);
    rss_kib_after.push_back(round.after.rss_kib);
    lost += round.lost;
  }
  const Round& first = rounds.front();
  const size_t connections = size_t{options.fleet.sessions} * options.fleet.subscribers;
  const auto a_connection = [&](int64_t value) {
    return static_cast<double>(value) / static_cast<double>(connections);
  };
  const int64_t more_kib = SumOf(first.with.rss_kib) - SumOf(before.rss_kib);
  return {{"connections", connections},
          {"connections_lost", lost},
          {"connect_s", connect_s},
          {"connects_a_second", static_cast<double>(connections) / first.connect_s},
          {"rss_kib_before", before.rss_kib},
          {"rss_kib_with", first.with.rss_kib},
          {"rss_kib_after", rss_kib_after},
          {"bytes_a_connection", a_connection(more_kib * 1024)},
          {"cpu_us_a_connection", a_connection(first.cpu_us)}};
}

}  // namespace sessioncast::bench
