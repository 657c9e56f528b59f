// The pending calls of one I/O thread, in order of time: an indexed binary heap, so that a call is
// cancelled in logarithmic time wherever it stands.
//
// Threads: belongs to one I/O thread.
// Invariants: entries_[i]->place == i; no entry is earlier than its parent; calls due at the same
// time run in the order in which they were added.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "edge/engineio/io_thread.h"

namespace sessioncast::engineio {

class TimerHeap;

struct Timer::Entry {
  Clock::time_point when;
  uint64_t order = 0;
  size_t place = 0;
  TimerHeap* heap = nullptr;  // null: not pending
  std::function<void()> task;
};

class TimerHeap {
 public:
  using Entry = Timer::Entry;
  using EntryPointer = std::shared_ptr<Entry>;

  TimerHeap() = default;
  ~TimerHeap();
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;

  EntryPointer Add(Clock::time_point when, std::function<void()> task);
  void Remove(Entry& entry);
  // The earliest call if it is due at `now`, taken out; else null.
  EntryPointer TakeDue(Clock::time_point now);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  Clock::time_point earliest() const { return entries_.front()->when; }

 private:
  bool Before(size_t a, size_t b) const;
  void Swap(size_t a, size_t b);
  void Up(size_t place);
  void Down(size_t place);

  std::vector<EntryPointer> entries_;
  uint64_t added_ = 0;
};

}  // namespace sessioncast::engineio
