#include "control/write_pacer.h"

#include <sys/prctl.h>

#include <utility>

#include "absl/time/time.h"

namespace sessioncast::control {

WritePacer::WritePacer(std::chrono::microseconds interval)
    : interval_(interval), thread_([this] { Run(); }) {}

WritePacer::~WritePacer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

void WritePacer::Call(Time when, std::function<void()> due) {
  absl::MutexLock lock(&mutex_);
  waiting_.push_back({when, std::move(due)});
  if (waiting_.size() == 1) changed_.Signal();
}

void WritePacer::Run() {
  constexpr unsigned long kTimerSlackNs = 1'000;  // instead of 50 us
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      changed_.Wait(&mutex_);
      continue;
    }
    const auto left = waiting_.front().when - std::chrono::steady_clock::now();
    if (left > left.zero()) {
      changed_.WaitWithTimeout(&mutex_, absl::FromChrono(left));
      continue;
    }
    const std::function<void()> due = std::move(waiting_.front().due);
    waiting_.pop_front();
    mutex_.Unlock();
    due();
    mutex_.Lock();
  }
}

namespace {
thread_local WriteCork* cork_of_thread = nullptr;
}  // namespace

WriteCork::WriteCork() { cork_of_thread = this; }

WriteCork::~WriteCork() {
  cork_of_thread = nullptr;
  for (const std::function<void()>& due : waiting_) due();
}

WriteCork* WriteCork::current() { return cork_of_thread; }

bool WritePace::MayWrite(std::function<void()> due) {
  if (waits_) return false;
  if (WriteCork* const cork = WriteCork::current()) {
    waits_ = true;
    cork->AtEnd(std::move(due));
    return false;
  }
  const WritePacer::Time now = std::chrono::steady_clock::now();
  if (now - written_ >= pacer_.interval()) {
    written_ = now;
    return true;
  }
  waits_ = true;
  pacer_.Call(written_ + pacer_.interval(), std::move(due));
  return false;
}

}  // namespace sessioncast::control
