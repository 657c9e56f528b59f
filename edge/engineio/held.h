// What an engine holds at a moment, counted: a server without clients holds none of it.
#pragma once

#include <cstddef>

namespace sessioncast::engineio {

struct Held {
  size_t sids = 0;  // of open connections, and of closed ones whose last poll has not come
  size_t tcp_connections = 0;
  size_t timers = 0;  // pending calls
  size_t queued_bytes = 0;  // for clients, and not yet taken by the kernel (polling: by a GET)
};

}  // namespace sessioncast::engineio
