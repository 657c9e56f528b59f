#include "control/worker_pool.h"

#include <utility>

namespace sessioncast::control {

WorkerPool::WorkerPool(WorkerPoolOptions options, const StartLoop& start) : options_(options) {
  for (size_t i = 0; i < options_.threads; ++i) {
    threads_.push_back(start(
        LoopWhen(mutex_, absl::Condition(this, &WorkerPool::CanRun), [this] { return RunOne(); })));
  }
}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  threads_.clear();
}

bool WorkerPool::Post(Job job) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ || jobs_.size() >= options_.jobs_max) return false;
  jobs_.push_back(std::move(job));
  return true;
}

bool WorkerPool::RunOne() {
  Job job;
  {
    absl::MutexLock lock(&mutex_);
    if (jobs_.empty()) return !stopping_;
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  job();
  return true;
}

}  // namespace sessioncast::control
