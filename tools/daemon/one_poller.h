// gRPC 1.51 calls back on half as many threads as there are cores, at least on two, and each that
// takes an event wakes the next one to wait for more. On two cores that is a wake an event for
// nothing: this object keeps one of the two threads in a callback of its own, and the other does
// all. With more cores it does nothing.
//
// Threads: made and destroyed by main, one a process, destroyed behind all servers and channels.
// Our callbacks never block, so that one thread suffices.
#pragma once

#include <memory>

namespace sessioncast::daemon {

class OnePoller {
 public:
  OnePoller();
  ~OnePoller();

 private:
  struct Call;
  std::unique_ptr<Call> call_;
};

}  // namespace sessioncast::daemon
