// Takes the place of threads and clocks: runs the broker's loops one step at a time, in an order
// that a seed decides, by a clock that moves when it is told to.
//
// Single-threaded. The same seed gives the same run on every machine.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "control/clock.h"
#include "control/loop.h"

namespace sessioncast::test {

class Scheduler {
 public:
  explicit Scheduler(uint32_t seed) : random_(seed) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  uint32_t Pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }
  bool Chance(uint32_t percent) { return Pick(100) < percent; }

  absl::Time now() const { return now_; }
  // Also backwards: a machine whose clock was set, before control starts on it.
  void Advance(absl::Duration by) { now_ += by; }
  control::Clock clock() {
    return [this] { return now_; };
  }

  control::StartLoop start_loop();
  // One step of some loop that is ready; false: none is.
  bool Step();
  // No loop that runs now takes another step.
  void Crash() { crashed_ = true; }
  // All that ran has ended; what starts now runs.
  void Revive() { crashed_ = false; }

  // A loop was to end, and none was ready: with threads, the end would hang.
  bool hangs() const { return hangs_; }
  uint64_t steps() const { return steps_; }

 private:
  class SimulatedLoop;

  void RunToTheEndOf(SimulatedLoop& loop);

  std::mt19937 random_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::vector<SimulatedLoop*> loops_;
  bool crashed_ = false;
  bool hangs_ = false;
  uint64_t steps_ = 0;
};

}  // namespace sessioncast::test
