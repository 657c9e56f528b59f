#include "bench/load/run_parts.h"

#include <ctime>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr std::chrono::seconds kConnectPatience{60};

}  // namespace

void SleepUntil(int64_t time_ns) {
  const timespec until = {.tv_sec = time_ns / 1'000'000'000, .tv_nsec = time_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
}

UsageMeter::Used UsageMeter::Read() const {
  const Usage now = UsageOf(pids_);
  return {.server_cpu_us = now.cpu_us - before_.cpu_us,
          .own_cpu_us = OwnCpuUs() - own_before_us_,
          .rss_kib = now.rss_kib};
}

nlohmann::json LatencyJson(const Histogram& latency_ns) {
  const auto us = [](int64_t ns) { return static_cast<double>(ns) / 1e3; };
  return {{"p50", us(latency_ns.Quantile(0.5))},
          {"p90", us(latency_ns.Quantile(0.9))},
          {"p99", us(latency_ns.Quantile(0.99))},
          {"p999", us(latency_ns.Quantile(0.999))},
          {"max", us(latency_ns.max())}};
}

std::unique_ptr<Sender> MakeSender(const PublishOptions& options, Sender::OnOutcome on_outcome) {
  std::shared_ptr<grpc::Channel> channel = OpenChannel(options.control);
  const auto deadline = std::chrono::system_clock::now() + kConnectPatience;
  if (!channel->WaitForConnected(deadline)) {
    throw std::runtime_error(absl::StrCat("nothing serves gRPC at --control=", options.control));
  }
  return options.how == Publish::kStream
             ? MakeStreamSender(std::move(channel), std::move(on_outcome))
             : MakeUnarySender(std::move(channel), std::move(on_outcome));
}

double ConnectOrThrow(Fleet& fleet) {
  const int64_t begin_ns = NowNs();
  if (!fleet.Connect(kConnectPatience)) {
    throw std::runtime_error(
        absl::StrCat("of ", fleet.connections(), " connections to --edge ", fleet.subscribed(),
                     " are subscribed and ", fleet.lost(), " were closed (waited at most ",
                     kConnectPatience.count(),
                     " s); is it a Socket.IO server, and has it descriptors enough (ulimit -n)?"));
  }
  return static_cast<double>(NowNs() - begin_ns) / 1e9;
}

}  // namespace sessioncast::bench
