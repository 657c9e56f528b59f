// Which event comes next: evenly over time and sessions, in bursts where wanted.
//
// Pure, not thread-safe. Event i belongs to group i / burst; a group has one intended time, which
// comes whether or not anybody keeps it (an open loop), and one session, in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/stamp.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast::bench {

enum class EventKind { kResult, kToken };

struct EventSourceOptions {
  std::string session_prefix = "bench-";
  uint32_t sessions = 1;  // the prefix and 0, 1, ...
  double rate = 1;        // events a second, of all sessions together
  uint32_t burst = 1;
  EventKind event = EventKind::kResult;
  size_t text_bytes = 250;  // at least kStampBytes
};

class EventSource {
 public:
  EventSource(EventSourceOptions options, int64_t begin_ns);

  int64_t next_time_ns() const {
    return IntendedTimeNs(begin_ns_, next_, options_.burst, options_.rate);
  }
  // Adds the next event. Returns its intended time.
  int64_t AddTo(v1::PublishEventsRequest& message);
  // As AddTo, with now as its time: a closed loop.
  void AddNowTo(v1::PublishEventsRequest& message);

 private:
  void Add(v1::PublishEventsRequest& message, int64_t time_ns);

  const EventSourceOptions options_;
  const int64_t begin_ns_;
  uint64_t next_ = 0;
  std::vector<uint32_t> numbers_;  // of each session's next
};

}  // namespace sessioncast::bench
