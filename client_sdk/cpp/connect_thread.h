// Polls a channel from a call that failed until the channel is connected.
//
// Why: after a connection attempt that failed, calls fail at once until an attempt succeeds; and
// an attempt gets on only while somebody polls. gRPC's own poll comes every 5 s, while an attempt
// may take 2 s: most run out of time with control there and listening, on a busy machine nearly
// all.
//
// Threads: Wake from any; one thread of its own, which sleeps while the channel is connected.
// Invariants: the end takes kPollMax at most.
#pragma once

#include <chrono>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/channel.h"

namespace sessioncast {

class ConnectThread {
 public:
  explicit ConnectThread(std::shared_ptr<grpc::Channel> channel);
  ~ConnectThread();
  ConnectThread(const ConnectThread&) = delete;
  ConnectThread& operator=(const ConnectThread&) = delete;

  // A call failed: control may be away.
  void Wake();

 private:
  static constexpr std::chrono::milliseconds kPollMax{100};

  void Run();
  // False: the end.
  bool AwaitWake();
  bool Stopping();

  const std::shared_ptr<grpc::Channel> channel_;
  absl::Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sessioncast
