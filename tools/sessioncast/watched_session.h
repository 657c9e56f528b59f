// What is known of a session while it is read, shared by the thread that reads it and the one that
// draws.
//
// Threads: any.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "tools/sessioncast/watch.h"
#include "tools/sessioncast/watch_state.h"
#include "tools/sessioncast/watch_view.h"

namespace sessioncast::tool {

class WatchedSession : public WatchSink {
 public:
  explicit WatchedSession(const WatchOptions& options)
      : state_(options.session_id, options.after_sequence),
        wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~WatchedSession() override { close(wake_); }

  void OnEvent(const v1::Event& event) override {
    const absl::MutexLock lock(&mutex_);
    state_.Add(event);
    Changed();
  }
  void OnResync(const v1::Snapshot& snapshot) override {
    const absl::MutexLock lock(&mutex_);
    state_.StartOver(snapshot);
    Changed();
  }
  void OnConnection(const absl::Status& connection) override {
    const absl::MutexLock lock(&mutex_);
    state_.SetConnection(
        connection.ok() ? WatchState::Connection::kLive : WatchState::Connection::kAway,
        WatchState::Clock::now());
    Changed();
  }
  void End(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    end_ = status;
    Wake();  // whoever draws may be done with what changed before
  }

  // Can be read when it has changed since the last Lines; clear it by Woken.
  int wake_fd() const { return wake_; }
  void Woken() const {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = read(wake_, &count, sizeof(count));
  }

  bool has_changed() const {
    const absl::MutexLock lock(&mutex_);
    return has_changed_;
  }
  bool is_away() const {
    const absl::MutexLock lock(&mutex_);
    return state_.connection() == WatchState::Connection::kAway;
  }
  std::optional<absl::Status> end() const {
    const absl::MutexLock lock(&mutex_);
    return end_;
  }
  std::vector<ViewLine> Lines(const std::string& answer_flags, ViewSize size) {
    const absl::MutexLock lock(&mutex_);
    has_changed_ = false;
    return Draw(state_, answer_flags, size, WatchState::Clock::now());
  }

 private:
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (has_changed_) return;
    has_changed_ = true;
    Wake();
  }
  void Wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = write(wake_, &one, sizeof(one));
  }

  mutable absl::Mutex mutex_;
  WatchState state_ ABSL_GUARDED_BY(mutex_);
  bool has_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  const int wake_;
};

}  // namespace sessioncast::tool
