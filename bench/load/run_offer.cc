#include <algorithm>
#include <mutex>
#include <vector>

#include "bench/load/answer_tally.h"
#include "bench/load/run_parts.h"
#include "bench/load/runs.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr std::chrono::seconds kAnswerPatience{10};
// Past it nothing is sent: it is left out, and `offered` says so.
constexpr uint64_t kInFlightEventsMax = 50'000;

class Offer {
 public:
  Offer(const OfferOptions& options, int64_t begin_ns, int64_t window_begin_ns,
        int64_t window_end_ns)
      : options_(options),
        window_end_ns_(window_end_ns),
        source_(options.publish.events, begin_ns),
        tally_(window_begin_ns, window_end_ns) {
    senders_.resize(options.connections);
    for (auto& sender : senders_) {
      sender = MakeSender(options.publish, [this](const Outcome& outcome) { OnOutcome(outcome); });
    }
  }

  // Blocks until the window is over.
  void Send() {
    for (size_t turn = 0; source_.next_time_ns() < window_end_ns_ && NowNs() < window_end_ns_;
         ++turn) {
      v1::PublishEventsRequest message;
      int64_t time_ns = 0;
      for (uint32_t i = 0; i < options_.publish.batch; ++i) time_ns = source_.AddTo(message);
      SleepUntil(time_ns);
      if (HasRoom(message.events_size(), time_ns)) senders_[turn % senders_.size()]->Send(message);
    }
  }

  // Waits for the last answers.
  AnswerTally Finish() {
    for (auto& sender : senders_) sender->Finish(kAnswerPatience);
    const std::lock_guard lock(mutex_);
    return tally_;
  }

 private:
  bool HasRoom(uint64_t events, int64_t intended_ns) {
    const std::lock_guard lock(mutex_);
    if (in_flight_ + events > kInFlightEventsMax) return false;
    in_flight_ += events;
    tally_.OnSent(events, intended_ns, NowNs());
    return true;
  }

  void OnOutcome(const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    in_flight_ -= outcome.events;
    tally_.OnOutcome(outcome, NowNs());
  }

  const OfferOptions options_;
  const int64_t window_end_ns_;
  EventSource source_;
  std::mutex mutex_;
  uint64_t in_flight_ = 0;
  AnswerTally tally_;
  std::vector<std::unique_ptr<Sender>> senders_;
};

}  // namespace

nlohmann::json RunOffer(const OfferOptions& options) {
  const int64_t begin_ns = NowNs();
  const int64_t window_begin_ns = begin_ns + ToNs(options.window.warm_up);
  const int64_t window_end_ns = window_begin_ns + ToNs(options.window.length);
  Offer offer(options, begin_ns, window_begin_ns, window_end_ns);
  const UsageMeter meter(options.window.pids);
  offer.Send();
  const UsageMeter::Used used = meter.Read();
  const AnswerTally tally = offer.Finish();
  const double window_s = options.window.length.count();
  return {{"window_s", window_s},
          {"offered", tally.offered},
          {"offered_a_second", static_cast<double>(tally.offered) / window_s},
          {"acknowledged", tally.acknowledged},
          {"acknowledged_a_second", static_cast<double>(tally.acknowledged) / window_s},
          {"refused", tally.refused},
          {"refused_with_hint", tally.hinted},
          {"failed", tally.failed},
          {"late_us", LatencyJson(tally.late_ns)},
          {"latency_us", LatencyJson(tally.acknowledged_ns)},
          {"refusal_latency_us", LatencyJson(tally.refused_ns)},
          {"cpu_us_server", used.server_cpu_us},
          {"cpu_us_load", used.own_cpu_us},
          {"rss_kib", used.rss_kib}};
}

}  // namespace sessioncast::bench
