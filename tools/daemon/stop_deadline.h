// Ends the process when stopping takes too long: what has been acknowledged is durable, and what
// hangs then is a library.
//
// Threads: constructed and destroyed by whoever stops the servers; one thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace sessioncast::daemon {

class StopDeadline {
 public:
  static constexpr int kExitCode = 3;

  // Past `time`, unless destroyed before, the process ends with kExitCode and a line in the log.
  explicit StopDeadline(std::chrono::milliseconds time = std::chrono::seconds(5));
  ~StopDeadline();
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  void Run(std::chrono::milliseconds time);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace sessioncast::daemon
