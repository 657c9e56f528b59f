// Acts when a deadline of the store's index passes, and when something is to be tried again; in a
// loop of its own.
//
// Threads: Notify and Later from any. The index is the store's, so deadlines survive a restart; the
// thread sleeps until the next one, by the steady clock. A deadline that could not be acted upon is
// tried again after a pause, and holds up no other.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "control/clock.h"
#include "control/loop.h"
#include "control/store.h"

namespace sessioncast::control {

struct DeadlineThreadOptions {
  size_t deadlines_per_round_max = 256;
  int64_t retry_ms = 1'000;
  // Of those that are tried again. Past it no others are acted upon until some of them are done.
  size_t put_off_max = 10'000;
  // It looks at the clock so often at least: a clock that is injected may jump.
  int64_t pause_ms_max = 1'000;
};

class DeadlineThread {
 public:
  using Acted = absl::AnyInvocable<void(absl::Status)>;
  // Acts on one deadline; calls back, from any thread, once it is done and the index is without it.
  using Act = std::function<void(const Deadline&, Acted)>;

  DeadlineThread(Store& store, Clock clock, Act act, DeadlineThreadOptions options,
                 const StartLoop& start);
  ~DeadlineThread();

  // Waits for what is being acted upon, then ends the thread; what comes later has no effect.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // The index has a deadline at this time.
  void Notify(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `job` on the thread, after a pause. Callers bound how many there are.
  void Later(absl::AnyInvocable<void()> job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Ends the round that was under way (what was due, with all its outcomes), and begins the next.
  bool Step() ABSL_LOCKS_EXCLUDED(mutex_);
  // Until something is due and nothing in hand, or it is to end.
  void WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration PauseBeforeWork() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunLaterJobs() ABSL_LOCKS_EXCLUDED(mutex_);
  // When to look again if all goes well.
  absl::Time ActOnDue() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t CountPutOff(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing: it has not failed.
  std::optional<absl::Time> PutOffUntil(const Deadline& deadline) const ABSL_LOCKS_EXCLUDED(mutex_);
  // `retry`: when it may be acted upon again, should it fail.
  void ActOn(const Deadline& deadline, absl::Time retry) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndOne(const Deadline& deadline, absl::Time retry, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  Store& store_;
  const Clock clock_;
  const Act act_;
  const DeadlineThreadOptions options_;
  mutable absl::Mutex mutex_;
  Alarm changed_;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::multimap<absl::Time, absl::AnyInvocable<void()>> later_ ABSL_GUARDED_BY(mutex_);
  size_t in_hand_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those that failed, by session and clarification: until when they are left alone.
  std::map<std::pair<std::string, std::string>, absl::Time> put_off_ ABSL_GUARDED_BY(mutex_);
  // Of the round that is under way: when to look again.
  std::optional<absl::Time> round_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<RunningLoop> loop_;
};

}  // namespace sessioncast::control
