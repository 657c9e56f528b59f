#include "edge/engineio/rate.h"

#include <algorithm>

namespace sessioncast::engineio {

bool RateMeter::Take(const RateLimit& limit, Clock::time_point now) {
  if (limit.per_s_max == 0) return true;
  const Clock::duration interval = Clock::duration(std::chrono::seconds(1)) / limit.per_s_max;
  if (whole_at_ <= now) refused_ = 0;
  const Clock::time_point whole_at = std::max(whole_at_, now) + interval;
  if (whole_at > now + interval * std::max<size_t>(limit.burst_max, 1)) {
    ++refused_;
    return false;
  }
  whole_at_ = whole_at;
  return true;
}

}  // namespace sessioncast::engineio
