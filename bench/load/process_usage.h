// What processes have used, as /proc tells.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace sessioncast::bench {

struct Usage {
  int64_t cpu_us = 0;            // user and system of all, to 10 ms a process
  std::vector<int64_t> rss_kib;  // resident, a process
};

// Of processes that run: one that is gone counts as 0.
Usage UsageOf(const std::vector<pid_t>& pids);
// Of this process: user and system.
int64_t OwnCpuUs();

}  // namespace sessioncast::bench
