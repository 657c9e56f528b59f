// When a stream writes: at once after a pause, else once an interval. What comes meanwhile goes into
// one message, which costs gRPC as much as a message of one event.
//
// Threads: WritePacer from any; it has a thread of its own, which calls those whose time has come,
// outside of its mutex. WritePace belongs to a stream, and is guarded by that one's mutex.
// WriteCork is on the stack of the thread that it is for.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sessioncast::control {

class WritePacer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit WritePacer(std::chrono::microseconds interval);
  // Those that wait are not called any more.
  ~WritePacer();

  std::chrono::microseconds interval() const { return interval_; }
  // `due` is called then: at most an interval from now, and never before those that came earlier.
  void Call(Time when, std::function<void()> due) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    Time when;
    std::function<void()> due;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::chrono::microseconds interval_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// While it lives, no stream writes on this thread; at its end each that would have is called once.
// Not nested.
class WriteCork {
 public:
  WriteCork();
  ~WriteCork();
  WriteCork(const WriteCork&) = delete;
  WriteCork& operator=(const WriteCork&) = delete;

  // That of the calling thread; null: it has none.
  static WriteCork* current();
  void AtEnd(std::function<void()> due) { waiting_.push_back(std::move(due)); }

 private:
  std::vector<std::function<void()>> waiting_;
};

class WritePace {
 public:
  explicit WritePace(WritePacer& pacer) : pacer_(pacer) {}

  // Whether the stream, which has something to write, may write it now: then it does. Else `due` is
  // called when it may, once however often this is asked; it calls Due, and asks again.
  bool MayWrite(std::function<void()> due);
  void Due() { waits_ = false; }

 private:
  WritePacer& pacer_;
  WritePacer::Time written_;
  bool waits_ = false;
};

}  // namespace sessioncast::control
