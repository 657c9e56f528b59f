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
                 [this] { WaitForWork(); }, [this] { return Step(); }});
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

bool DeadlineThread::Step() {
  bool looks = false;
  {
    absl::MutexLock lock(&mutex_);
    if (round_.has_value()) next_look_ = std::min(next_look_, *std::exchange(round_, {}));
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
  // Those that were put off may stand before all others.
  const size_t put_off = CountPutOff(now);
  const absl::StatusOr<std::vector<Deadline>> deadlines =
      store_.DueDeadlines(absl::InfiniteFuture(), options_.deadlines_per_round_max + put_off);
  if (!deadlines.ok()) {
    spdlog::warn("deadlines cannot be read: {}", deadlines.status().ToString());
    return retry;
  }
  absl::Time next = absl::InfiniteFuture();
  for (const Deadline& deadline : *deadlines) {
    if (deadline.time > now) return std::min(next, deadline.time);
    const std::optional<absl::Time> not_before = PutOffUntil(deadline);
    if (not_before.value_or(now) > now) {
      next = std::min(next, *not_before);
    } else if (not_before.has_value() || put_off < options_.put_off_max) {
      ActOn(deadline, retry);
      next = now;  // there may be more behind the last of this round
    } else {
      next = std::min(next, retry);
    }
  }
  return next;
}

size_t DeadlineThread::CountPutOff(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  // What has not been tried again for long is not in the index any more.
  const absl::Time gone = now - 10 * absl::Milliseconds(options_.retry_ms);
  std::erase_if(put_off_, [gone](const auto& entry) { return entry.second < gone; });
  return put_off_.size();
}

std::optional<absl::Time> DeadlineThread::PutOffUntil(const Deadline& deadline) const {
  absl::MutexLock lock(&mutex_);
  const auto found = put_off_.find({deadline.session_id, deadline.clarification_id});
  if (found == put_off_.end()) return std::nullopt;
  return found->second;
}

void DeadlineThread::ActOn(const Deadline& deadline, absl::Time retry) {
  {
    absl::MutexLock lock(&mutex_);
    ++in_hand_;
  }
  act_(deadline,
       [this, deadline, retry](const absl::Status& status) { EndOne(deadline, retry, status); });
}

void DeadlineThread::EndOne(const Deadline& deadline, absl::Time retry,
                            const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const std::pair<std::string, std::string> key = {deadline.session_id, deadline.clarification_id};
  if (status.ok()) {
    put_off_.erase(key);
  } else {
    put_off_[key] = retry;
  }
  if (--in_hand_ == 0) changed_.Ring();
}

}  // namespace sessioncast::control
