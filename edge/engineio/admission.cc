#include "edge/engineio/admission.h"

#include <algorithm>

namespace sessioncast::engineio {

Admission::Admission(const AdmissionOptions& options, size_t io_threads)
    : interval_(Clock::duration(std::chrono::seconds(1)) * io_threads /
                std::max<size_t>(options.handshakes_per_s_max, 1)),
      wait_max_(options.wait_max),
      burst_(options.burst) {}

std::optional<Clock::time_point> Admission::Admit(Clock::time_point now) {
  const Clock::time_point slot = std::max(next_, now - burst_);
  if (slot > now + wait_max_) return std::nullopt;
  next_ = slot + interval_;
  return std::max(slot, now);
}

}  // namespace sessioncast::engineio
