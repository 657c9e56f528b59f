#include "control/deadline_thread.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "spdlog/spdlog.h"

namespace sessioncast::control {

DeadlineThread::DeadlineThread(Store& store, Clock clock, Act act, DeadlineThreadOptions options)
    : store_(store), clock_(std::move(clock)), act_(std::move(act)), options_(options) {
  thread_ = std::thread([this] { Run(); });
}

DeadlineThread::~DeadlineThread() { Stop(); }

void DeadlineThread::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Ring();
  }
  if (thread_.joinable()) thread_.join();
}

void DeadlineThread::Notify(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  if (deadline >= next_look_) return;
  next_look_ = deadline;
  changed_.Ring();
}

void DeadlineThread::Later(absl::AnyInvocable<void()> job) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  later_.emplace(clock_() + absl::Milliseconds(options_.retry_ms), std::move(job));
  changed_.Ring();
}

absl::Duration DeadlineThread::PauseBeforeWork() {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::ZeroDuration();
  const absl::Time first_job = later_.empty() ? absl::InfiniteFuture() : later_.begin()->first;
  return std::min(std::min(first_job, next_look_) - clock_(),
                  absl::Milliseconds(options_.pause_ms_max));
}

void DeadlineThread::WaitForWork() {
  for (absl::Duration pause = PauseBeforeWork(); pause > absl::ZeroDuration();
       pause = PauseBeforeWork()) {
    changed_.Wait(pause);
  }
}

void DeadlineThread::Run() {
  while (true) {
    WaitForWork();
    absl::Time look_at;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      look_at = next_look_;
      if (look_at <= clock_()) next_look_ = absl::InfiniteFuture();
    }
    RunLaterJobs();
    if (look_at <= clock_()) Notify(ActOnDue());
  }
}

void DeadlineThread::RunLaterJobs() {
  std::vector<absl::AnyInvocable<void()>> due;
  {
    absl::MutexLock lock(&mutex_);
    const auto end = later_.upper_bound(clock_());
    for (auto at = later_.begin(); at != end; at = later_.erase(at))
      due.push_back(std::move(at->second));
  }
  for (absl::AnyInvocable<void()>& job : due) job();
}

absl::Time DeadlineThread::ActOnDue() {
  const absl::Time now = clock_();
  const absl::Time retry = now + absl::Milliseconds(options_.retry_ms);
  const absl::StatusOr<std::vector<Deadline>> deadlines =
      store_.DueDeadlines(absl::InfiniteFuture(), options_.deadlines_per_round_max);
  if (!deadlines.ok()) {
    spdlog::warn("deadlines cannot be read: {}", deadlines.status().ToString());
    return retry;
  }
  absl::Time next = absl::InfiniteFuture();
  for (const Deadline& deadline : *deadlines) {
    if (deadline.time > now) {
      next = deadline.time;
      break;
    }
    next = now;  // there may be more behind the last of this round
    {
      absl::MutexLock lock(&mutex_);
      ++in_hand_;
    }
    act_(deadline, [this](absl::Status status) {
      absl::MutexLock lock(&mutex_);
      --in_hand_;
      if (!status.ok()) ++failed_;
    });
  }
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &DeadlineThread::NothingInHand));
  return std::exchange(failed_, 0) == 0 ? next : retry;
}

}  // namespace sessioncast::control
