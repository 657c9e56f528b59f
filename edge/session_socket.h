// What a browser's socket may do with sessions: subscribe, unsubscribe, answer (docs/PROTOCOL.md).
//
// Threads: the socket's I/O thread.
// Invariants: bad input gets an `error` event (and the ack, if one was asked for) that names the
// field and the limit, and the connection stays; at most Options::sessions_max subscriptions a
// socket.
#pragma once

#include <cstddef>
#include <functional>

#include "edge/socketio/server.h"
#include "edge/upstream.h"

namespace sessioncast::edge {

struct SessionSocketOptions {
  size_t sessions_max = 100;  // subscriptions a socket
};

// Makes every socket of `sockets` a session socket. `upstream_of`: the line to control of a
// socket's I/O thread.
void ServeSessions(socketio::Namespace& sockets, SessionSocketOptions options,
                   std::function<Upstream&(const socketio::IoThread&)> upstream_of);

}  // namespace sessioncast::edge
