// Metrics of a program over HTTP, in Prometheus' text format, at a listener of their own.
//
// Threads: Start, Detach and the end by main; sources are asked on the HTTP library's threads, one
// scrape at a time, and only while a scrape is under way. They must not block for long.
// Invariants: nothing but /metrics is served; without Options::listen there is neither a listener
// nor a thread; after Detach no source is asked any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}
namespace prometheus {
class Exposer;
}

namespace sessioncast::daemon {

struct MetricsOptions {
  std::string listen;  // HOST:PORT; port 0: the system picks; empty: off
};

// --metrics_listen.
void AddMetricsFlags(CLI::App& app, MetricsOptions& options);

// One number at the moment of a scrape. Those of one name, which have one help and kind, stand
// together and differ by their labels.
struct Metric {
  enum class Kind { kGauge, kCounter };
  std::string name;
  std::string help;
  Kind kind = Kind::kGauge;
  double value = 0;
  std::map<std::string, std::string> labels;
};

class MetricsListener {
 public:
  // What one part of the program has to say.
  using Source = std::function<std::vector<Metric>()>;

  // The error names the flag, the address, and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<MetricsListener>> Start(const MetricsOptions& options,
                                                                std::vector<Source> sources);
  // Takes up to 2 s: so often the HTTP library looks whether it is to end.
  ~MetricsListener();

  // 0: off.
  uint16_t port() const;
  // When what the sources look at is about to go. Waits for the scrape that is under way; later
  // ones get what the process itself has.
  void Detach();

 private:
  class Scrape;
  MetricsListener();

  std::shared_ptr<Scrape> scrape_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // null: off
};

}  // namespace sessioncast::daemon
