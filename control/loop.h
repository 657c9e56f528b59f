// The broker's work in the background, in steps, and who takes them: a thread for each loop, or a
// simulation that takes one step at a time, of whichever loop it likes (tests/simulation).
//
// Threads: `await` and `step` are called by whoever runs the loop, `is_ready` instead of `await` by
// one who must not block. A step is taken after either; several may run one loop (a pool), so what
// was there may be gone then.
#pragma once

#include <functional>
#include <memory>

#include "absl/synchronization/mutex.h"

namespace sessioncast::control {

struct Loop {
  std::function<bool()> is_ready;
  std::function<void()> await;  // blocks until it is
  // Whether the loop goes on.
  std::function<bool()> step;
};

// That is ready when `condition` holds.
Loop LoopWhen(absl::Mutex& mutex, absl::Condition condition, std::function<bool()> step);

// A loop that is being run. Its end waits for the loop's.
class RunningLoop {
 public:
  virtual ~RunningLoop() = default;
};

using StartLoop = std::function<std::unique_ptr<RunningLoop>(Loop)>;

// On a thread of its own.
std::unique_ptr<RunningLoop> StartThread(Loop loop);

}  // namespace sessioncast::control
