// gRPC's own log, as lines of ours: what goes wrong with a connection, a failed handshake for
// example, which a stranger can cause as often as he likes: LogGate lets few through.
//
// Threads: main, once StartLog was called.
#pragma once

namespace sessioncast::daemon {

void TakeGrpcLog();

// None of it, for a program whose standard error is a screen that it draws on. Needs no StartLog.
void DropGrpcLog();

}  // namespace sessioncast::daemon
