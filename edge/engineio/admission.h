// When a handshake is answered: at a bounded rate, in the order in which they came. One that has to
// wait is delayed, not refused, since a refusal costs the client one of its attempts.
//
// Pure, not thread-safe: no I/O, no clock. A short burst is answered at once; in each second no
// more than the rate and that burst.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "edge/engineio/io_thread.h"

namespace sessioncast::engineio {

struct AdmissionOptions {
  size_t handshakes_per_s_max = 10'000;  // of the engine, all its I/O threads together
  // One that would have to wait for longer is refused.
  std::chrono::milliseconds wait_max{10'000};
  // What was not used of the rate for so long may come at once.
  std::chrono::milliseconds burst{100};
};

class Admission {
 public:
  // Of one of so many I/O threads, each of which has its part of the rate.
  Admission(const AdmissionOptions& options, size_t io_threads);

  // When the handshake that came now is to be answered, not before `now`; nothing: it is refused.
  std::optional<Clock::time_point> Admit(Clock::time_point now);

 private:
  const Clock::duration interval_;
  const Clock::duration wait_max_;
  const Clock::duration burst_;
  Clock::time_point next_;
};

}  // namespace sessioncast::engineio
