// What an I/O thread is made of: Asio's loop, an inbox for other threads' tasks, a heap of timers.
// For engineio's own files only.
//
// Threads: Post by any thread; everything else by the I/O thread itself.
// Invariants: one steady_timer serves all timers; it is armed for the earliest, or earlier.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>
#include <vector>

#include "edge/engineio/io_thread.h"
#include "edge/engineio/timer_heap.h"

namespace sessioncast::engineio {

struct IoThread::Loop {
  explicit Loop(size_t index);

  void Post(std::function<void()> task);
  TimerHeap::EntryPointer AddTimer(Clock::time_point when, std::function<void()> task);
  size_t timers() const { return timers_.size(); }

  const size_t index;
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  // Where sockets read into: what arrives is handed on before the next read.
  std::array<char, 65536> scratch;
  size_t open_streams = 0;
  std::thread thread;
  std::atomic<std::thread::id> running_thread;

 private:
  void DrainInbox();
  void Arm();
  void RunDueTimers();

  std::mutex inbox_mutex_;
  std::vector<std::function<void()>> inbox_;  // guarded by inbox_mutex_

  boost::asio::steady_timer alarm_;
  Clock::time_point armed_for_ = Clock::time_point::max();
  TimerHeap timers_;  // goes first: tasks may own sockets of `context`
};

}  // namespace sessioncast::engineio
