#include "edge/census.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sessioncast::edge {

struct Census::Answers {
  struct OfThread {
    Counts counts;  // the last answer
    bool asked = false;
  };

  explicit Answers(size_t count) : threads(count) {}

  bool Complete() const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    return std::none_of(threads.begin(), threads.end(),
                        [](const OfThread& thread) { return thread.asked; });
  }

  absl::Mutex mutex;
  std::vector<OfThread> threads ABSL_GUARDED_BY(mutex);
};

Census::Counts& Census::Counts::operator+=(const Counts& other) {
  connections += other.connections;
  queued_bytes += other.queued_bytes;
  attached += other.attached;
  hub.sessions += other.hub.sessions;
  hub.live += other.hub.live;
  hub.behind += other.hub.behind;
  hub.skipped += other.hub.skipped;
  hub.unshown += other.hub.unshown;
  hub.overflowed += other.hub.overflowed;
  return *this;
}

Census::Census(const std::vector<std::unique_ptr<engineio::IoThread>>& threads,
               std::function<Counts(const engineio::IoThread&)> count, Options options)
    : threads_(threads),
      count_(std::move(count)),
      options_(options),
      answers_(std::make_shared<Answers>(threads.size())) {}

Census::Counts Census::Take() {
  const absl::MutexLock lock(&answers_->mutex);
  for (const std::unique_ptr<engineio::IoThread>& thread : threads_) {
    if (std::exchange(answers_->threads[thread->index()].asked, true)) continue;
    thread->Post([this, answers = answers_, &thread = *thread] {
      const Counts counts = count_(thread);
      const absl::MutexLock answer_lock(&answers->mutex);
      answers->threads[thread.index()] = {counts, false};
    });
  }
  answers_->mutex.AwaitWithTimeout(absl::Condition(answers_.get(), &Answers::Complete),
                                   absl::FromChrono(options_.wait_max));
  Counts all;
  for (const Answers::OfThread& thread : answers_->threads) all += thread.counts;
  return all;
}

}  // namespace sessioncast::edge
