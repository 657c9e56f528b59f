#include "control/clock.h"

namespace sessioncast::control {

void Alarm::Wait(absl::Duration pause) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(pause);
  changed_.wait_until(lock, until, [this] { return rung_; });
  rung_ = false;
}

void Alarm::Ring() {
  std::lock_guard<std::mutex> lock(mutex_);
  rung_ = true;
  changed_.notify_one();
}

}  // namespace sessioncast::control
