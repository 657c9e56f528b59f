// Makes one page of events from events that come in order: bounded, whole or conflated.
//
// Pure, not thread-safe. Conflation reads the delivery option and the key, and nothing else: an
// event of LATEST is left out when a later one of its kind is in the page, one of LATEST_BY_KEY
// when a later one of its kind and key is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/event.h"

namespace sessioncast::control {

enum class Reading { kWhole, kConflated };

struct PageLimits {
  size_t bytes_max = 256 * 1024;  // one event always fits
  size_t events_scanned_max = 2'000;
  Reading reading = Reading::kWhole;
};

struct Page {
  std::vector<StoredEventPtr> events;
  // The last sequence that the page covers.
  uint64_t through = 0;
};

class Pager {
 public:
  Pager(uint64_t after, PageLimits limits) : limits_(limits), through_(after) {}

  // Whether it was taken; false: the page ends before it.
  bool Add(const StoredEventPtr& event);
  Page Take();

 private:
  void LeaveOut(size_t index);

  PageLimits limits_;
  std::vector<StoredEventPtr> events_;  // null: superseded
  std::unordered_map<std::string, size_t> supersedable_;
  size_t bytes_ = 0;
  size_t scanned_ = 0;
  uint64_t through_;
};

}  // namespace sessioncast::control
