// What a browser's socket may do with sessions: subscribe, unsubscribe, answer, and come back after
// a lost connection (docs/PROTOCOL.md); as far as its token goes, where tokens are asked for.
//
// Threads: the socket's I/O thread.
// Invariants: bad input gets an `error` event (and the ack, if one was asked for) that names the
// field and the limit, and the connection stays; at most Options::sessions_max subscriptions a
// socket. Nothing is kept of a socket that has gone: a recovering client carries where it was in the
// last argument of its events (edge/cursor.h), and any edge goes on from there.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "edge/access.h"
#include "edge/answer.h"
#include "edge/broken_rule.h"
#include "edge/hub.h"
#include "edge/socketio/server.h"

namespace sessioncast::edge {

struct SessionSocketOptions {
  size_t sessions_max = 100;                   // subscriptions a socket
  BrokenRule broken_rule = BrokenRule::kNone;  // of tests
};

// What a session socket needs of its I/O thread's line to control: Upstream's, or a simulation's.
struct SessionLine {
  Hub& hub;
  std::function<void(const Answer& answer, std::function<void(AnswerOutcome)> done)> answer;
};

// Makes every socket of `sockets` a session socket. `access` must outlive them; `line_of`: its I/O
// thread's.
void ServeSessions(socketio::Namespace& sockets, SessionSocketOptions options, const Access& access,
                   std::function<SessionLine(const socketio::IoThread&)> line_of);

}  // namespace sessioncast::edge
