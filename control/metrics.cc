#include "control/metrics.h"

#include <string>
#include <vector>

#include "control/server.h"

namespace sessioncast::control {
namespace {

using daemon::Metric;

Metric Of(const std::string& name, const std::string& help, Metric::Kind kind, uint64_t value) {
  return {.name = "sessioncast_control_" + name,
          .help = help,
          .kind = kind,
          .value = static_cast<double>(value),
          .labels = {}};
}

}  // namespace

daemon::MetricsListener::Source MetricsOf(const Server& server) {
  return [&server]() -> std::vector<Metric> {
    const BrokerCounts counts = server.counts();
    constexpr auto kGauge = Metric::Kind::kGauge;
    return {
        Of("sessions", "Sessions in memory", kGauge, counts.sessions),
        Of("histories_bytes", "Histories in memory, about; see --histories_bytes_max", kGauge,
           counts.histories_bytes),
        Of("subscriptions", "Readers of sessions: interests of edges, and native streams", kGauge,
           counts.subscriptions),
        Of("publishes_in_flight_bytes",
           "Publishes that are not answered yet; see --publish_in_flight_bytes_max", kGauge,
           counts.in_flight_bytes),
        Of("events_appended_total", "Events that became durable since the start",
           Metric::Kind::kCounter, counts.events_appended),
    };
  };
}

}  // namespace sessioncast::control
