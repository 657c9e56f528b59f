// One run: a broker over a store that fails, with publishers and readers, crashes and restarts, all
// by a seed; then all is healed, and everything must be as the rules say.
#pragma once

#include <cstdint>

#include "tests/simulation/seeds.h"

namespace sessioncast::test {

RunOutcome Simulate(uint32_t seed);

}  // namespace sessioncast::test
