// gRPC's own log, as lines of ours: what goes wrong with a connection, a failed handshake for
// example, which a stranger can cause as often as he likes: LogGate lets few through.
//
// Threads: main, once StartLog was called.
#pragma once

namespace sessioncast::daemon {

void TakeGrpcLog();

}  // namespace sessioncast::daemon
