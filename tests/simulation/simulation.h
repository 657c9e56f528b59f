// One run: a broker over a store that fails, with publishers and readers, crashes and restarts, all
// by a seed; then all is healed, and everything must be as the rules say.
#pragma once

#include <cstdint>
#include <string>

namespace sessioncast::test {

struct RunOutcome {
  // "": all was well.
  std::string violation;
  uint64_t steps = 0;
  uint64_t acked = 0;
  uint64_t unknown = 0;
  uint64_t seen = 0;
  uint64_t crashes = 0;
  uint64_t store_failures = 0;
};

RunOutcome Simulate(uint32_t seed);

}  // namespace sessioncast::test
