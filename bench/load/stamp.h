// What each published event carries in its text, so that whoever gets it knows when it was meant to
// be sent and which it is, through any server: `stamp:<time>:<number>:`.
//
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sessioncast::bench {

struct Stamp {
  int64_t time_ns = 0;  // intended, CLOCK_MONOTONIC
  uint32_t number = 0;  // of the session's events, from 0
};

inline constexpr size_t kStampBytes = sizeof("stamp:01234567890123456789:0123456789:") - 1;

// CLOCK_MONOTONIC, in nanoseconds.
int64_t NowNs();

// When event `index` of an open loop is meant to be sent: evenly from `begin_ns` on, `rate` a
// second, groups of `burst` at one time. In nanoseconds.
int64_t IntendedTimeNs(int64_t begin_ns, uint64_t index, uint32_t burst, double rate);

// A text of so many bytes, at least kStampBytes, that begins with the stamp.
std::string StampedText(const Stamp& stamp, size_t bytes);
// The first stamp in a packet.
std::optional<Stamp> FindStamp(std::string_view packet);

}  // namespace sessioncast::bench
