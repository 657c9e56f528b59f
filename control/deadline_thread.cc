#include "control/deadline_thread.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "spdlog/spdlog.h"

namespace sessioncast::control {

DeadlineThread::DeadlineThread(Store& store, Clock clock, Act act, DeadlineThreadOptions options,
                               const StartLoop& start)
    : store_(store), clock_(std::move(clock)), act_(std::move(act)), options_(options) {
  loop_ = start({[this] { return PauseBeforeWork() <= absl::ZeroDuration(); },
                 [this] { WaitForWork(); }, [this] { return BeginRound(); }});
}

DeadlineThread::~DeadlineThread() { Stop(); }

void DeadlineThread::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Ring();
  }
  loop_.reset();
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
  const absl::Duration longest = absl::Milliseconds(options_.pause_ms_max);
  if (in_hand_ > 0) return longest;
  if (stopping_ || round_.has_value()) return absl::ZeroDuration();
  const absl::Time first_job = later_.empty() ? absl::InfiniteFuture() : later_.begin()->first;
  return std::min(std::min(first_job, next_look_) - clock_(), longest);
}

void DeadlineThread::WaitForWork() {
  for (absl::Duration pause = PauseBeforeWork(); pause > absl::ZeroDuration();
       pause = PauseBeforeWork()) {
    changed_.Wait(pause);
  }
}

bool DeadlineThread::BeginRound() {
  bool looks = false;
  {
    absl::MutexLock lock(&mutex_);
    if (round_.has_value()) EndRound();
    if (stopping_) return false;
    looks = next_look_ <= clock_();
    if (looks) next_look_ = absl::InfiniteFuture();
  }
  RunLaterJobs();
  if (!looks) return true;
  const absl::Time next = ActOnDue();
  absl::MutexLock lock(&mutex_);
  round_ = next;
  return true;
}

void DeadlineThread::EndRound() {
  const absl::Time retry = clock_() + absl::Milliseconds(options_.retry_ms);
  next_look_ = std::min(next_look_, std::exchange(failed_, 0) == 0 ? *round_ : retry);
  round_.reset();
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
  const absl::StatusOr<std::vector<Deadline>> deadlines =
      store_.DueDeadlines(absl::InfiniteFuture(), options_.deadlines_per_round_max);
  if (!deadlines.ok()) {
    spdlog::warn("deadlines cannot be read: {}", deadlines.status().ToString());
    return now + absl::Milliseconds(options_.retry_ms);
  }
  for (const Deadline& deadline : *deadlines) {
    if (deadline.time > now) return deadline.time;
    {
      absl::MutexLock lock(&mutex_);
      ++in_hand_;
    }
    act_(deadline, [this](absl::Status status) { EndOne(status); });
  }
  // There may be more behind the last of this round.
  return deadlines->empty() ? absl::InfiniteFuture() : now;
}

void DeadlineThread::EndOne(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!status.ok()) ++failed_;
  if (--in_hand_ == 0) changed_.Ring();
}

}  // namespace sessioncast::control
