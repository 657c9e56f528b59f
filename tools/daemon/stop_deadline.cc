#include "tools/daemon/stop_deadline.h"

#include <cstdlib>

#include "spdlog/spdlog.h"

namespace sessioncast::daemon {

StopDeadline::StopDeadline(std::chrono::milliseconds time)
    : thread_([this, time] { Run(time); }) {}

StopDeadline::~StopDeadline() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void StopDeadline::Run(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, time, [this] { return stopped_; })) return;
  spdlog::critical("stopping took more than {} ms: ending at once; what was acknowledged is stored",
                   time.count());
  spdlog::default_logger()->flush();
  std::_Exit(kExitCode);
}

}  // namespace sessioncast::daemon
