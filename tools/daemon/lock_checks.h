// Turns off what Debian's Abseil, which is built for debugging, does at each lock of a mutex, ours
// and gRPC's: it looks for deadlocks in one graph of all mutexes, under one lock of its own. Tests
// leave it on.
//
// Threads: first thing in main, before there are others.
#pragma once

namespace sessioncast::daemon {

void LeaveOutLockChecks();

}  // namespace sessioncast::daemon
