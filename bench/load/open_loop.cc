#include "bench/load/open_loop.h"

#include <chrono>
#include <utility>

#include "bench/load/run_parts.h"
#include "bench/load/stamp.h"

namespace sessioncast::bench {
namespace {

constexpr std::chrono::seconds kAnswerPatience{5};

}  // namespace

OpenLoop::OpenLoop(const PublishOptions& options, const Span& span)
    : options_(options),
      span_(span),
      source_(options.events, span.begin_ns),
      sender_(MakeSender(options, [this](const Outcome& outcome) { OnOutcome(outcome); })),
      thread_([this] { Run(); }) {}

OpenLoop::Counts OpenLoop::Join() {
  thread_.join();
  sender_->Finish(kAnswerPatience);
  const std::lock_guard lock(mutex_);
  return counts_;
}

void OpenLoop::Run() {
  while (source_.next_time_ns() < span_.end_ns) {
    v1::PublishEventsRequest message;
    uint64_t in_window = 0;
    int64_t time_ns = 0;
    for (uint32_t i = 0; i < options_.batch && source_.next_time_ns() < span_.end_ns; ++i) {
      time_ns = source_.AddTo(message);
      if (time_ns >= span_.window_begin_ns) ++in_window;
    }
    SleepUntil(time_ns);
    AwaitRoom(message.events_size(), in_window);
    sender_->Send(std::move(message));
  }
}

void OpenLoop::AwaitRoom(size_t events, uint64_t in_window) {
  std::unique_lock lock(mutex_);
  has_room_.wait(lock, [this] { return in_flight_ < kInFlightEventsMax; });
  in_flight_ += events;
  counts_.published += in_window;
  sent_ += events;
}

void OpenLoop::OnOutcome(const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  in_flight_ -= outcome.events;
  counts_.failed += outcome.failed;
  counts_.acknowledged += outcome.events - outcome.failed;
  counts_.ack_latency_ns.Record(NowNs() - outcome.sent_ns);
  has_room_.notify_one();
}

}  // namespace sessioncast::bench
