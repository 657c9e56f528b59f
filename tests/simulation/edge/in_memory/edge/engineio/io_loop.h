// Takes the place of edge/engineio/io_loop.h in the simulation and in the fuzz target `connection`: an I/O thread without a thread, a
// clock or sockets. What is posted and what is due runs when the simulation says so; TCP
// connections are bytes in memory.
//
// Single-threaded.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "edge/engineio/io_thread.h"
#include "edge/engineio/timer_heap.h"

namespace sessioncast::engineio {

// A TCP connection: what each side has written and the other has not taken.
struct Pipe {
  std::string to_server;
  std::string to_client;
  size_t to_client_max = 0;  // the kernel's buffers
  bool client_left = false;   // it reads and writes nothing more
  bool client_ended = false;  // it writes nothing more
  bool client_reset = false;  // the connection broke
  bool server_left = false;  // it writes nothing more
  std::function<void()> readable;  // what waits at the server's side
  std::function<void()> writable;

  bool is_readable() const {
    return readable != nullptr && (has_no_more() || !to_server.empty());
  }
  bool is_writable() const {
    return writable != nullptr &&
           (client_left || client_reset || to_client.size() < to_client_max);
  }
  bool has_no_more() const { return client_left || client_ended || client_reset; }
};

struct IoThread::Loop {
  explicit Loop(size_t its_index) : index(its_index) {}

  // The TCP connection with this descriptor, as a TcpArrival carries it.
  static int Arrive(std::shared_ptr<Pipe> pipe) {
    // None that the process has.
    constexpr int kFirstDescriptor = 1 << 30;
    const int descriptor = kFirstDescriptor + arrivals++;
    arriving[descriptor] = std::move(pipe);
    return descriptor;
  }
  size_t timers() const { return timer_heap.size(); }
  // Whether there was something.
  bool RunPosted() {
    if (posted.empty()) return false;
    const std::function<void()> task = std::move(posted.front());
    posted.pop_front();
    task();
    return true;
  }
  bool RunDue() {
    const TimerHeap::EntryPointer due = timer_heap.TakeDue(now);
    if (due == nullptr) return false;
    const std::function<void()> task = std::move(due->task);
    task();
    return true;
  }

  const size_t index;
  Clock::time_point now{};
  // Of all threads: a TCP connection moves from one to another.
  static inline int arrivals = 0;
  static inline std::map<int, std::shared_ptr<Pipe>> arriving;
  size_t open_streams = 0;
  // A client connects; null: nobody listens.
  std::function<void(std::shared_ptr<Pipe>)> connect;
  // While somebody who is no I/O thread may wait for what it posts: runs the threads.
  std::function<void()> run_for_waiter;
  std::deque<std::function<void()>> posted;
  TimerHeap timer_heap;  // goes first: tasks may own what posts
};

}  // namespace sessioncast::engineio
