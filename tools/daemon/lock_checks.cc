#include "tools/daemon/lock_checks.h"

#include "absl/synchronization/mutex.h"

namespace sessioncast::daemon {

void LeaveOutLockChecks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace sessioncast::daemon
