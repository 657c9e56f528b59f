// A publisher in an open loop: each event is sent at its intended time, or as soon after it as the
// one before allows; it keeps that time, so that what a slow server makes late is measured as late.
//
// Threads: its own; made, asked and joined by one other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/load/event_source.h"
#include "bench/load/histogram.h"
#include "bench/load/runs.h"
#include "bench/load/sender.h"

namespace sessioncast::bench {

class OpenLoop {
 public:
  // While so many are unanswered, the next wait.
  static constexpr size_t kInFlightEventsMax = 50'000;

  struct Span {
    int64_t begin_ns = 0;
    int64_t window_begin_ns = 0;
    int64_t end_ns = 0;
  };
  struct Counts {
    uint64_t published = 0;  // that were meant for the window
    uint64_t acknowledged = 0;
    uint64_t failed = 0;
    Histogram ack_latency_ns;
  };

  OpenLoop(const PublishOptions& options, const Span& span);

  // So far, with the warm-up.
  uint64_t sent() const { return sent_; }
  // Waits for the end, and some time for the last answers.
  Counts Join();

 private:
  void Run();
  void AwaitRoom(size_t events, uint64_t in_window);
  void OnOutcome(const Outcome& outcome);

  const PublishOptions options_;
  const Span span_;
  EventSource source_;
  std::mutex mutex_;
  std::condition_variable has_room_;
  size_t in_flight_ = 0;
  Counts counts_;
  std::atomic<uint64_t> sent_{0};
  const std::unique_ptr<Sender> sender_;
  std::thread thread_;
};

}  // namespace sessioncast::bench
