#include <algorithm>
#include <iostream>
#include <mutex>
#include <vector>

#include "bench/load/run_parts.h"
#include "bench/load/runs.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr std::chrono::seconds kAnswerPatience{10};

// Each connection with its own sender: an answer sends the next message.
class ClosedLoop {
 public:
  explicit ClosedLoop(const ClosedLoopOptions& options)
      : options_(options), source_(options.publish.events, NowNs()) {
    senders_.resize(std::max(1U, options.connections));
    for (auto& sender : senders_) {
      sender = MakeSender(options.publish,
                          [this, &sender](const Outcome& outcome) { OnOutcome(*sender, outcome); });
    }
  }

  void Begin(int64_t window_begin_ns, int64_t window_end_ns) {
    window_begin_ns_ = window_begin_ns;
    window_end_ns_ = window_end_ns;
    for (uint32_t i = 0; i < options_.in_flight; ++i) senders_[i % senders_.size()]->Send(Next());
  }
  void Finish() {
    for (auto& sender : senders_) sender->Finish(kAnswerPatience);
  }

  // After Finish: of what was answered within the window.
  uint64_t calls = 0;
  uint64_t events = 0;
  uint64_t failed = 0;
  Histogram latency_ns;

 private:
  v1::PublishEventsRequest Next() {
    const std::lock_guard lock(mutex_);
    v1::PublishEventsRequest message;
    for (uint32_t i = 0; i < options_.publish.batch; ++i) source_.AddNowTo(message);
    return message;
  }

  void OnOutcome(Sender& sender, const Outcome& outcome) {
    const int64_t now_ns = NowNs();
    if (now_ns < window_end_ns_) sender.Send(Next());
    if (now_ns < window_begin_ns_ || now_ns >= window_end_ns_) return;
    const std::lock_guard lock(mutex_);
    ++calls;
    events += outcome.events - outcome.failed;
    failed += outcome.failed;
    latency_ns.Record(now_ns - outcome.sent_ns);
  }

  const ClosedLoopOptions options_;
  std::mutex mutex_;
  EventSource source_;
  int64_t window_begin_ns_ = 0;
  int64_t window_end_ns_ = 0;
  std::vector<std::unique_ptr<Sender>> senders_;
};

}  // namespace

nlohmann::json RunClosedLoop(const ClosedLoopOptions& options) {
  ClosedLoop loop(options);
  const int64_t window_begin_ns = NowNs() + ToNs(options.window.warm_up);
  const int64_t window_end_ns = window_begin_ns + ToNs(options.window.length);
  loop.Begin(window_begin_ns, window_end_ns);
  SleepUntil(window_begin_ns);
  const UsageMeter meter(options.window.pids);
  SleepUntil(window_end_ns);
  const UsageMeter::Used used = meter.Read();
  loop.Finish();
  const double window_s = options.window.length.count();
  return {{"calls", loop.calls},
          {"events", loop.events},
          {"failed", loop.failed},
          {"window_s", window_s},
          {"events_a_second", static_cast<double>(loop.events) / window_s},
          {"latency_us", LatencyJson(loop.latency_ns)},
          {"cpu_us_server", used.server_cpu_us},
          {"cpu_us_load", used.own_cpu_us},
          {"rss_kib", used.rss_kib}};
}

}  // namespace sessioncast::bench
