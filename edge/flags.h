// The edge's flags, which map 1:1 to its options: for the daemon and for `sessioncast serve`.
//
// Threads: main, before anything starts.
#pragma once

#include "edge/server.h"

namespace CLI {
class App;
}

namespace sessioncast::edge {

void AddFlags(CLI::App& app, ServerOptions& options);
// Those of them that limit what clients may do.
void AddLimitFlags(CLI::App& app, ServerOptions& options);

}  // namespace sessioncast::edge
