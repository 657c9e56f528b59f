// Whether this edge should get new clients: what /readyz says.
//
// Threads: any; it is the one thing that the I/O threads share.
#pragma once

#include <atomic>
#include <cstddef>

namespace sessioncast::edge {

class Readiness {
 public:
  // `threads`: how many I/O threads attach, each for itself.
  explicit Readiness(size_t threads) : threads_(threads) {}

  void Attached() {
    const size_t attached = attached_.fetch_add(1) + 1;
    if (attached >= threads_) was_attached_ = true;
  }
  void Detached() { attached_.fetch_sub(1); }
  void Drain() { draining_ = true; }

  // After the first attach of all threads, until it drains. A later loss of control takes nobody's
  // socket away.
  bool ready() const { return was_attached_ && !draining_; }
  bool draining() const { return draining_; }
  // Whether control can be reached now.
  bool attached() const { return attached_ >= threads_; }

 private:
  const size_t threads_;
  std::atomic<size_t> attached_ = 0;
  std::atomic<bool> was_attached_ = false;
  std::atomic<bool> draining_ = false;
};

}  // namespace sessioncast::edge
