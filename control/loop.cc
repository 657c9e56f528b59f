#include "control/loop.h"

#include <thread>
#include <utility>

namespace sessioncast::control {
namespace {

class LoopThread : public RunningLoop {
 public:
  explicit LoopThread(Loop loop)
      : thread_([loop = std::move(loop)] {
          do {
            loop.await();
          } while (loop.step());
        }) {}
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() override { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace

Loop LoopWhen(absl::Mutex& mutex, absl::Condition condition, std::function<bool()> step) {
  return {[&mutex, condition] {
            absl::MutexLock lock(&mutex);
            return condition.Eval();
          },
          [&mutex, condition] { absl::MutexLock lock(&mutex, condition); }, std::move(step)};
}

std::unique_ptr<RunningLoop> StartThread(Loop loop) {
  return std::make_unique<LoopThread>(std::move(loop));
}

}  // namespace sessioncast::control
