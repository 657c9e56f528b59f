// One run: two edges with everything of their own above their sockets, above a naive control, with
// stock clients of all kinds; connections, streams and edges that end at any moment, all by a seed;
// then all is healed, and everything must be as the rules say.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "edge/broken_rule.h"

namespace sessioncast::test {

struct EdgeRunOutcome {
  // "": all was well.
  std::string violation;
  uint64_t steps = 0;
  uint64_t published = 0;
  uint64_t seen = 0;
  uint64_t recovered = 0;
  uint64_t lost_connections = 0;
  uint64_t lost_edges = 0;
  uint64_t skipped = 0;
  uint64_t overflowed = 0;
};

struct EdgeRunOptions {
  edge::BrokenRule broken_rule = edge::BrokenRule::kNone;
  std::FILE* trace = nullptr;  // each packet and what is done, a line each
};

EdgeRunOutcome SimulateEdge(uint32_t seed, const EdgeRunOptions& options);

}  // namespace sessioncast::test
