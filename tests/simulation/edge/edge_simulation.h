// One run: two edges with everything of their own above their sockets, above a naive control, with
// stock clients of all kinds; connections, streams and edges that end at any moment, all by a seed;
// then all is healed, and everything must be as the rules say.
#pragma once

#include <cstdint>
#include <cstdio>

#include "edge/broken_rule.h"
#include "tests/simulation/seeds.h"

namespace sessioncast::test {

struct EdgeRunOptions {
  edge::BrokenRule broken_rule = edge::BrokenRule::kNone;
  std::FILE* trace = nullptr;  // each packet and what is done, a line each
};

RunOutcome SimulateEdge(uint32_t seed, const EdgeRunOptions& options);

}  // namespace sessioncast::test
