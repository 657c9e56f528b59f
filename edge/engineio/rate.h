// How often something may be done: so many times a second on average, and so many at once.
//
// Pure, not thread-safe: no I/O, no clock. In any span of time no more is granted than the burst and
// what the rate gives meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "edge/engineio/io_thread.h"

namespace sessioncast::engineio {

struct RateLimit {
  std::string name;    // as whoever is refused is told it: "messages_per_s_max"
  size_t per_s_max = 0;  // 0: as often as one likes
  size_t burst_max = 1;
};

// One user's account of a RateLimit.
class RateMeter {
 public:
  // Whether it may be done now.
  bool Take(const RateLimit& limit, Clock::time_point now);
  // How many were refused since all of the burst was there.
  size_t refused() const { return refused_; }

 private:
  Clock::time_point whole_at_;  // when all of the burst is there again
  uint32_t refused_ = 0;
};

}  // namespace sessioncast::engineio
