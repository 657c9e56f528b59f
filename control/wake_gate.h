// Turns wakes, which come from any thread at any time, into runs that never overlap: a wake during
// a run makes one more.
//
// Threads: any.
#pragma once

#include <atomic>

namespace sessioncast::control {

class WakeGate {
 public:
  // Whether the caller is to run; else somebody else will.
  bool Enter() { return wakes_.fetch_add(1) == 0; }
  // After a run, that began with Enter or a Leave that said so: whether the caller is to run again.
  bool Leave() {
    int seen = 1;
    if (wakes_.compare_exchange_strong(seen, 0)) return false;
    wakes_.store(1);
    return true;
  }

 private:
  std::atomic<int> wakes_{0};
};

}  // namespace sessioncast::control
