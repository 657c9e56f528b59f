#include "control/retention.h"

#include <cassert>

namespace sessioncast::control {
namespace {

constexpr int kSegments = 8;

}  // namespace

bool Retention::FitsLastSegment(absl::Time time, size_t bytes) const {
  if (segments_.empty()) return false;
  const Segment& segment = segments_.back();
  return segment.last - segment.first + 1 < options_.events_max / kSegments &&
         segment.bytes + bytes <= options_.bytes_max / kSegments &&
         time - segment.first_time < age_max() / kSegments;
}

void Retention::Add(uint64_t sequence, absl::Time time, size_t bytes) {
  assert(segments_.empty() || sequence == segments_.back().last + 1);
  if (FitsLastSegment(time, bytes)) {
    segments_.back().last = sequence;
    segments_.back().bytes += bytes;
  } else {
    segments_.push_back({sequence, sequence, time, bytes});
  }
}

void Retention::RemoveLast(size_t bytes) {
  Segment& segment = segments_.back();
  segment.bytes -= bytes;
  if (segment.first == segment.last) {
    segments_.pop_back();
  } else {
    --segment.last;
  }
}

void Retention::RemoveBefore(uint64_t first) {
  while (!segments_.empty() && segments_.front().last < first) segments_.pop_front();
}

uint64_t Retention::FirstToKeep(uint64_t first, uint64_t keep_from, absl::Time now) const {
  size_t bytes = 0;
  for (const Segment& segment : segments_) {
    if (segment.last >= first) bytes += segment.bytes;
  }
  for (const Segment& segment : segments_) {
    if (segment.last < first) continue;
    const bool fits = segments_.back().last - segment.first < options_.events_max &&
                      bytes <= options_.bytes_max && now - segment.first_time <= age_max();
    if (fits || segment.last >= keep_from) break;
    first = segment.last + 1;
    bytes -= segment.bytes;
  }
  return first;
}

}  // namespace sessioncast::control
