#include "tools/daemon/log_gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::daemon {
namespace {

constexpr int kLinesAtOnceMax = 10;
constexpr std::chrono::seconds kBetweenLines{1};

}  // namespace

std::optional<std::string> LogGate::Pass(Clock::time_point now) {
  const absl::MutexLock lock(&mutex_);
  const Clock::time_point whole_at = std::max(whole_at_, now) + kBetweenLines;
  if (whole_at - now > kLinesAtOnceMax * kBetweenLines) {
    ++held_back_;
    return std::nullopt;
  }
  whole_at_ = whole_at;
  const uint64_t held_back = std::exchange(held_back_, 0);
  return held_back == 0 ? "" : absl::StrCat(" (", held_back, " more such lines held back)");
}

}  // namespace sessioncast::daemon
