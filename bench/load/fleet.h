// Many Socket.IO clients, each of one session: they connect, subscribe, and count what comes.
//
// Threads: Fleet belongs to one; it has FleetOptions::threads of its own, each with its own clients
// and its own Tally. A client whose connection ends is counted as lost and does not come back.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/link.h"

namespace sessioncast::bench {

struct FleetOptions {
  sockaddr_in edge = {};
  std::string session_prefix = "bench-";
  uint32_t sessions = 1;     // the prefix and 0, 1, ...
  uint32_t subscribers = 1;  // connections a session
  Transport transport = Transport::kWebSocket;
  int threads = 1;
  size_t handshakes_max = 256;  // a thread, at one time
};

// What came of the events that were meant to be sent within the window.
struct Tally {
  Histogram latency_ns;  // from the intended time
  uint64_t deliveries = 0;
  uint64_t gaps = 0;        // numbers that were passed over
  uint64_t duplicates = 0;  // numbers that were not above the last, of any time
  uint64_t lost = 0;        // connections that ended

  void Merge(const Tally& other);
};

class Fleet {
 public:
  explicit Fleet(FleetOptions options);
  ~Fleet();

  size_t connections() const;
  // Which are subscribed.
  size_t subscribed() const { return subscribed_; }
  size_t lost() const { return lost_; }
  // So far, of the window.
  uint64_t deliveries() const { return deliveries_; }
  // So far, whatever they were meant for.
  uint64_t arrivals() const { return arrivals_; }

  // Connects and subscribes all. False: not all of them were, in time.
  bool Connect(std::chrono::seconds patience);
  // From now on; CLOCK_MONOTONIC, nanoseconds. Before the first event is published.
  void SetWindow(int64_t begin_ns, int64_t end_ns);
  // Closes all connections; what they counted.
  Tally Stop();

 private:
  class Client;
  class Thread;

  const FleetOptions options_;
  std::atomic<int64_t> window_begin_ns_{INT64_MAX};
  std::atomic<int64_t> window_end_ns_{INT64_MAX};
  std::atomic<size_t> subscribed_{0};
  std::atomic<size_t> lost_{0};
  std::atomic<uint64_t> deliveries_{0};
  std::atomic<uint64_t> arrivals_{0};
  std::atomic<bool> stops_{false};
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace sessioncast::bench
