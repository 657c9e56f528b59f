// An edge's metrics, read at a scrape.
//
// Threads: MetricsOf by main; what it returns by any, until the server is stopped.
#pragma once

#include "tools/daemon/metrics.h"

namespace sessioncast::edge {

class Server;

// The server outlives what is returned.
daemon::MetricsListener::Source MetricsOf(const Server& server);

}  // namespace sessioncast::edge
