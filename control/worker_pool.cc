#include "control/worker_pool.h"

#include <utility>

namespace sessioncast::control {

WorkerPool::WorkerPool(WorkerPoolOptions options) : options_(options) {
  for (size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkerPool::Post(Job job) {
  absl::MutexLock lock(&mutex_);
  if (stopping_ || jobs_.size() >= options_.jobs_max) return false;
  jobs_.push_back(std::move(job));
  return true;
}

void WorkerPool::Run() {
  while (true) {
    Job job;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &WorkerPool::CanRun));
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace sessioncast::control
