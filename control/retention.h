// Which events of a session are kept: counted in segments, of which the oldest is removed as a
// whole.
//
// Pure, not thread-safe: no I/O, no clock, no lock. A segment has at most 1/8 of what each limit
// allows, so that the history holds at most the limit and, once it was full, at least 7/8 of it,
// and what a removal costs (a fold is written) is spread over an eighth of the history. Invariant:
// segments are dense, each event is in one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/time/time.h"

namespace sessioncast::control {

// Of the history that is kept of one session.
struct RetentionOptions {
  size_t events_max = 10'000;
  size_t bytes_max = 16 * 1024 * 1024;  // of serialized events
  int64_t age_ms_max = int64_t{7} * 24 * 60 * 60 * 1'000;
};

class Retention {
 public:
  explicit Retention(RetentionOptions options) : options_(options) {}

  // The next event.
  void Add(uint64_t sequence, absl::Time time, size_t bytes);
  // The last event is gone again.
  void RemoveLast(size_t bytes);
  // Segments that end before this event are gone.
  void RemoveBefore(uint64_t first);

  // The first event to keep, of those from `first` on; `keep_from` and what follows is kept.
  uint64_t FirstToKeep(uint64_t first, uint64_t keep_from, absl::Time now) const;

 private:
  struct Segment {
    uint64_t first;
    uint64_t last;
    absl::Time first_time;
    size_t bytes;
  };

  bool FitsLastSegment(absl::Time time, size_t bytes) const;
  absl::Duration age_max() const { return absl::Milliseconds(options_.age_ms_max); }

  RetentionOptions options_;
  std::list<Segment> segments_;
};

}  // namespace sessioncast::control
