#include "bench/load/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace sessioncast::bench {
namespace {

// The fields of /proc/PID/stat behind the name, which may hold blanks: the first is field 3.
std::vector<std::string> StatOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  std::vector<std::string> fields;
  if (name_end == line.npos) return fields;
  std::istringstream rest(line.substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

}  // namespace

Usage UsageOf(const std::vector<pid_t>& pids) {
  constexpr size_t kUserTicks = 14 - 3;
  constexpr size_t kSystemTicks = 15 - 3;
  constexpr size_t kResidentPages = 24 - 3;
  const int64_t us_a_tick = 1'000'000 / sysconf(_SC_CLK_TCK);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  Usage usage;
  for (const pid_t pid : pids) {
    const std::vector<std::string> stat = StatOf(pid);
    if (stat.size() <= kResidentPages) {
      usage.rss_kib.push_back(0);
      continue;
    }
    usage.cpu_us += (std::stoll(stat[kUserTicks]) + std::stoll(stat[kSystemTicks])) * us_a_tick;
    usage.rss_kib.push_back(std::stoll(stat[kResidentPages]) * page_bytes / 1024);
  }
  return usage;
}

int64_t OwnCpuUs() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

}  // namespace sessioncast::bench
