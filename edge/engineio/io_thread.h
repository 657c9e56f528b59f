// One I/O thread: an event loop with what belongs to it (connections, timers). Hides Asio from
// everybody above.
//
// Threads: Post may be called by any thread; everything else only by the thread itself (or before
// Start). Invariants: what runs on one IoThread never runs at the same time as anything else on it,
// so what it owns needs no lock. Nothing that runs on it may block.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace sessioncast::engineio {

using Clock = std::chrono::steady_clock;

// A pending call; cancels itself when it goes. Belongs to its IoThread.
class Timer {
 public:
  Timer() = default;
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  ~Timer();
  void Cancel();
  bool pending() const;

 private:
  friend class IoThread;
  friend class TimerHeap;
  struct Entry;
  explicit Timer(std::shared_ptr<Entry> entry);
  std::shared_ptr<Entry> entry_;
};

class IoThread {
 public:
  explicit IoThread(size_t index);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // 0 .. number of I/O threads - 1.
  size_t index() const;
  // Its clock: all that it does at a time goes by it.
  Clock::time_point now() const;
  // Runs `task` on this thread, soon; tasks of one caller in the order posted.
  void Post(std::function<void()> task);
  // Runs `task` on this thread once, at or after `when`.
  [[nodiscard]] Timer At(Clock::time_point when, std::function<void()> task);
  [[nodiscard]] Timer After(Clock::duration delay, std::function<void()> task);
  // True on the thread itself.
  bool IsCurrent() const;

  void Start();
  // Ends the loop and joins; tasks not yet run are dropped. Not from the thread itself.
  void Stop();

  // What engineio's own files reach through; not for anybody above.
  struct Loop;
  Loop& loop();

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace sessioncast::engineio
