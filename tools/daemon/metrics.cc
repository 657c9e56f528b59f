#include "tools/daemon/metrics.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"
#include "prometheus/metric_family.h"
#include "spdlog/spdlog.h"

namespace sessioncast::daemon {
namespace {

constexpr char kScrapesAtOnce[] = "2";
constexpr char kRequestMsMax[] = "5000";

struct Address {
  sockaddr_storage socket = {};
  socklen_t socket_size = 0;
  std::string host;  // as a URL has it: "127.0.0.1", "[::1]"
  std::string port;
};

absl::Status Invalid(const std::string& listen, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("metrics_listen: ", listen, ": ", why));
}

// IPv4 where the host has it: Debian's civetweb knows no other.
absl::StatusOr<Address> Resolve(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port > 65535) {
    return Invalid(listen, "must be HOST:PORT");
  }
  std::string host = listen.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Address address;
  address.port = absl::StrCat(port);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int error = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    hints.ai_family = family;
    error = getaddrinfo(host.c_str(), address.port.c_str(), &hints, &found);
    if (error == 0) break;
  }
  if (error != 0) return Invalid(listen, gai_strerror(error));
  std::memcpy(&address.socket, found->ai_addr, found->ai_addrlen);
  address.socket_size = found->ai_addrlen;
  char text[NI_MAXHOST] = {};
  getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
  address.host = found->ai_family == AF_INET6 ? absl::StrCat("[", text, "]") : std::string(text);
  freeaddrinfo(found);
  return address;
}

// The library does not say why it cannot listen: tried once more by hand.
std::string WhyNot(const Address& address) {
  const int descriptor = socket(address.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  const int on = 1;
  if (descriptor >= 0) setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool can_listen = descriptor >= 0 &&
                          bind(descriptor, reinterpret_cast<const sockaddr*>(&address.socket),
                               address.socket_size) == 0 &&
                          listen(descriptor, 1) == 0;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  if (!can_listen) return std::strerror(error);
  return address.socket.ss_family == AF_INET6
             ? "this system's civetweb has no IPv6: give an IPv4 address"
             : "civetweb does not listen";
}

std::vector<Metric> OfProcess(std::chrono::system_clock::time_point started) {
  const std::chrono::duration<double> since_1970 = started.time_since_epoch();
  return {{.name = "process_start_time_seconds",
           .help = "When the process began to serve, in seconds since 1970",
           .value = since_1970.count(),
           .labels = {}}};
}

prometheus::ClientMetric Shown(const Metric& metric) {
  prometheus::ClientMetric shown;
  for (const auto& [name, value] : metric.labels) shown.label.push_back({name, value});
  metric.kind == Metric::Kind::kCounter ? shown.counter.value = metric.value
                                        : shown.gauge.value = metric.value;
  return shown;
}

}  // namespace

// What the HTTP library asks at each scrape.
class MetricsListener::Scrape : public prometheus::Collectable {
 public:
  explicit Scrape(std::vector<Source> sources) : sources_(std::move(sources)) {}

  std::vector<prometheus::MetricFamily> Collect() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    std::map<std::string, prometheus::MetricFamily> families;
    Add(OfProcess(started_), families);
    {
      const absl::MutexLock lock(&mutex_);
      for (const Source& source : sources_) Add(source(), families);
    }
    std::vector<prometheus::MetricFamily> collected;
    for (auto& [name, family] : families) collected.push_back(std::move(family));
    return collected;
  }

  void Detach() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    sources_.clear();
  }

 private:
  static void Add(const std::vector<Metric>& metrics,
                  std::map<std::string, prometheus::MetricFamily>& families) {
    for (const Metric& metric : metrics) {
      prometheus::MetricFamily& family = families[metric.name];
      family.name = metric.name;
      family.help = metric.help;
      family.type = metric.kind == Metric::Kind::kCounter ? prometheus::MetricType::Counter
                                                          : prometheus::MetricType::Gauge;
      family.metric.push_back(Shown(metric));
    }
  }

  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  mutable absl::Mutex mutex_;
  std::vector<Source> sources_ ABSL_GUARDED_BY(mutex_);
};

void AddMetricsFlags(CLI::App& app, MetricsOptions& options) {
  app.add_option("--metrics_listen", options.listen,
                 "HOST:PORT for /metrics, for Prometheus; localhost means 127.0.0.1; port 0: the "
                 "system picks. Off unless given: it is not for the public")
      ->envname("SESSIONCAST_METRICS_LISTEN");
}

MetricsListener::MetricsListener() = default;
MetricsListener::~MetricsListener() = default;

absl::StatusOr<std::unique_ptr<MetricsListener>> MetricsListener::Start(
    const MetricsOptions& options, std::vector<Source> sources) {
  std::unique_ptr<MetricsListener> listener(new MetricsListener());
  if (options.listen.empty()) return listener;
  absl::StatusOr<Address> address = Resolve(options.listen);
  if (!address.ok()) return address.status();
  listener->scrape_ = std::make_shared<Scrape>(std::move(sources));
  try {
    listener->exposer_ = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", absl::StrCat(address->host, ":", address->port),  //
        "num_threads", kScrapesAtOnce,                                       //
        "request_timeout_ms", kRequestMsMax});
    listener->exposer_->RegisterCollectable(listener->scrape_);
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("metrics_listen: ", options.listen, ": ", WhyNot(*address)));
  }
  spdlog::info("metrics listening on http://{}:{}/metrics", address->host, listener->port());
  return listener;
}

uint16_t MetricsListener::port() const {
  if (exposer_ == nullptr) return 0;
  return static_cast<uint16_t>(exposer_->GetListeningPorts().front());
}

void MetricsListener::Detach() {
  if (scrape_ != nullptr) scrape_->Detach();
}

}  // namespace sessioncast::daemon
