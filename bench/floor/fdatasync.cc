#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include "bench/floor/floor.h"
#include "bench/load/histogram.h"
#include "bench/load/stamp.h"
#include "nlohmann/json.hpp"

namespace sessioncast::bench {

int MeasureFdatasync(const FdatasyncOptions& options) {
  std::string path = options.directory + "/fdatasync-XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) {
    std::cerr << "bench_floor: --directory=" << options.directory << ": " << strerror(errno)
              << "\n";
    return 1;
  }
  unlink(path.c_str());
  const std::string bytes(options.bytes, 'x');
  Histogram taken_ns;
  const int64_t begin_ns = NowNs();
  const auto duration_ns = static_cast<int64_t>(options.duration.count() * 1e9);
  while (NowNs() - begin_ns < duration_ns) {
    const int64_t call_ns = NowNs();
    const bool is_well =
        write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
        fdatasync(file) == 0;
    if (!is_well) {
      std::cerr << "bench_floor: " << path << ": " << strerror(errno) << "\n";
      return 1;
    }
    taken_ns.Record(NowNs() - call_ns);
  }
  const double seconds = static_cast<double>(NowNs() - begin_ns) / 1e9;
  close(file);
  const nlohmann::json result = {
      {"p50", static_cast<double>(taken_ns.Quantile(0.5)) / 1e3},
      {"p99", static_cast<double>(taken_ns.Quantile(0.99)) / 1e3},
      {"calls_a_second", static_cast<double>(taken_ns.count()) / seconds}};
  std::cout << result.dump() << std::endl;
  return 0;
}

}  // namespace sessioncast::bench
