#include "edge/metrics.h"

#include <string>
#include <utility>
#include <vector>

#include "edge/server.h"

namespace sessioncast::edge {
namespace {

using daemon::Metric;

Metric Gauge(const std::string& name, const std::string& help, uint64_t value,
             std::map<std::string, std::string> labels = {}) {
  return {.name = "sessioncast_edge_" + name,
          .help = help,
          .kind = Metric::Kind::kGauge,
          .value = static_cast<double>(value),
          .labels = std::move(labels)};
}

Metric Counter(const std::string& name, const std::string& help, uint64_t value) {
  Metric counter = Gauge(name, help, value);
  counter.kind = Metric::Kind::kCounter;
  return counter;
}

}  // namespace

daemon::MetricsListener::Source MetricsOf(const Server& server) {
  return [&server]() -> std::vector<Metric> {
    const Census::Counts counts = server.counts();
    const std::string subscriptions = "Sockets' subscriptions to sessions: live, or behind";
    return {
        Gauge("connections", "Connections of clients, by websocket or polling", counts.connections),
        Gauge("queued_bytes", "Bytes queued for connections, and not yet taken by the kernel",
              counts.queued_bytes),
        Gauge("sessions", "Sessions that sockets are subscribed to, counted by I/O thread",
              counts.hub.sessions),
        Gauge("subscriptions", subscriptions, counts.hub.live, {{"state", "live"}}),
        Gauge("subscriptions", subscriptions, counts.hub.behind, {{"state", "behind"}}),
        Gauge("attach_streams", "I/O threads that are attached to control", counts.attached),
        Counter("events_skipped_total", "Events that sockets did not get, declared as skipped",
                counts.hub.skipped),
        Counter("events_unshown_total", "Events that cannot be shown, and were skipped",
                counts.hub.unshown),
        Counter("slow_consumers_total",
                "Times that a socket's queue passed its limit and was dropped",
                counts.hub.overflowed),
    };
  };
}

}  // namespace sessioncast::edge
