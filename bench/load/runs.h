// What bench_load measures, each as a run that ends in one JSON object (bench/README.md says what
// is in it).
//
// Threads: each blocks the thread that calls it, and has others of its own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/event_source.h"
#include "bench/load/fleet.h"
#include "nlohmann/json.hpp"

namespace sessioncast::bench {

enum class Publish { kUnary, kStream };

struct PublishOptions {
  std::string control;  // HOST:PORT; "": nothing is published
  Publish how = Publish::kUnary;
  uint32_t batch = 1;  // events a message of a stream
  EventSourceOptions events;
};

// What is measured, after a warm-up.
struct WindowOptions {
  std::chrono::duration<double> warm_up{2};
  std::chrono::duration<double> length{5};
  std::vector<pid_t> pids;  // the server's processes
};

// Events come at their times, whatever becomes of those before: who is late, waits from there on.
struct FanoutOptions {
  FleetOptions fleet;
  PublishOptions publish;
  WindowOptions window;
};
nlohmann::json RunFanout(const FanoutOptions& options);

// As fast as answers come: so many messages are always in flight.
struct ClosedLoopOptions {
  PublishOptions publish;
  uint32_t in_flight = 1;  // messages, of all connections together
  uint32_t connections = 1;
  WindowOptions window;
};
nlohmann::json RunClosedLoop(const ClosedLoopOptions& options);

// Events come at their times, and nobody receives them: what is taken, what is refused, and how
// soon either is said. Counted is what was sent and what was answered within the window.
struct OfferOptions {
  PublishOptions publish;
  uint32_t connections = 1;
  WindowOptions window;
};
nlohmann::json RunOffer(const OfferOptions& options);

// Connections that do nothing: how fast they come and what they weigh, both of the first round; and
// what the server weighs after each round, once it gives nothing back any more.
struct IdleOptions {
  FleetOptions fleet;
  int rounds = 1;  // comes and goes so often
  std::vector<pid_t> pids;
};
nlohmann::json RunIdle(const IdleOptions& options);

}  // namespace sessioncast::bench
