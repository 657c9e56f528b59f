#include "edge/engineio/timer_heap.h"

#include <cassert>
#include <utility>

namespace sessioncast::engineio {

Timer::Timer(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}

Timer::Timer(Timer&&) noexcept = default;

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    Cancel();
    entry_ = std::move(other.entry_);
  }
  return *this;
}

Timer::~Timer() { Cancel(); }

void Timer::Cancel() {
  if (pending()) entry_->heap->Remove(*entry_);
  entry_ = nullptr;
}

bool Timer::pending() const { return entry_ != nullptr && entry_->heap != nullptr; }

TimerHeap::~TimerHeap() {
  // A task may own what owns another timer of this heap, or its own: so nothing is pending any more
  // when the first one goes, and each is taken out of its timer.
  std::vector<std::function<void()>> tasks;
  for (const EntryPointer& entry : entries_) {
    entry->heap = nullptr;
    tasks.push_back(std::move(entry->task));
  }
  entries_.clear();
}

TimerHeap::EntryPointer TimerHeap::Add(Clock::time_point when, std::function<void()> task) {
  auto entry = std::make_shared<Entry>();
  entry->when = when;
  entry->order = added_++;
  entry->place = entries_.size();
  entry->heap = this;
  entry->task = std::move(task);
  entries_.push_back(entry);
  Up(entry->place);
  return entry;
}

void TimerHeap::Remove(Entry& entry) {
  assert(entry.heap == this && entries_[entry.place].get() == &entry);
  const size_t place = entry.place;
  Swap(place, entries_.size() - 1);
  EntryPointer removed = std::move(entries_.back());
  entries_.pop_back();
  removed->heap = nullptr;
  if (place < entries_.size()) {
    Up(place);
    Down(place);
  }
}

TimerHeap::EntryPointer TimerHeap::TakeDue(Clock::time_point now) {
  if (entries_.empty() || entries_.front()->when > now) return nullptr;
  EntryPointer due = entries_.front();
  Remove(*due);
  return due;
}

bool TimerHeap::Before(size_t a, size_t b) const {
  const Entry& first = *entries_[a];
  const Entry& second = *entries_[b];
  return first.when != second.when ? first.when < second.when : first.order < second.order;
}

void TimerHeap::Swap(size_t a, size_t b) {
  std::swap(entries_[a], entries_[b]);
  entries_[a]->place = a;
  entries_[b]->place = b;
}

void TimerHeap::Up(size_t place) {
  while (place > 0) {
    const size_t parent = (place - 1) / 2;
    if (!Before(place, parent)) return;
    Swap(place, parent);
    place = parent;
  }
}

void TimerHeap::Down(size_t place) {
  while (true) {
    size_t first = place;
    for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < entries_.size(); ++child) {
      if (Before(child, first)) first = child;
    }
    if (first == place) return;
    Swap(place, first);
    place = first;
  }
}

}  // namespace sessioncast::engineio
