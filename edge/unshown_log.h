// Says in the log that a session has an event that cannot be shown: once a session, and not of too
// many of them, since whoever can publish one can publish many.
//
// Threads: any; it is shared by the hubs of all I/O threads.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "spdlog/spdlog.h"
#include "tools/daemon/log_gate.h"

namespace sessioncast::edge {

class UnshownLog {
 public:
  void Say(const std::string& session_id, std::string_view why,
           daemon::LogGate::Clock::time_point now) {
    const absl::MutexLock lock(&mutex_);
    if (told_.contains(session_id)) return;
    const std::optional<std::string> end = gate_.Pass(now);
    if (!end) return;
    if (told_.size() >= kToldMax) told_.clear();
    told_.insert(session_id);
    spdlog::error("session {}: an event cannot be shown, and is skipped: {}{}", session_id, why,
                  *end);
  }

 private:
  static constexpr size_t kToldMax = 4'096;  // sessions; then they are told again

  daemon::LogGate gate_;
  absl::Mutex mutex_;
  absl::flat_hash_set<std::string> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sessioncast::edge
