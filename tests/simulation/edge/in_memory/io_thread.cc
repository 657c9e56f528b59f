// edge/engineio/io_thread.h, without threads.
#include "edge/engineio/io_thread.h"

#include <utility>

#include "edge/engineio/io_loop.h"

namespace sessioncast::engineio {

IoThread::IoThread(size_t index) : loop_(std::make_unique<Loop>(index)) {}
IoThread::~IoThread() = default;
size_t IoThread::index() const { return loop_->index; }
Clock::time_point IoThread::now() const { return loop_->now; }
void IoThread::Post(std::function<void()> task) {
  loop_->posted.push_back(std::move(task));
  if (const std::function<void()> run = std::exchange(loop_->run_for_waiter, nullptr)) {
    run();
    loop_->run_for_waiter = run;
  }
}
Timer IoThread::At(Clock::time_point when, std::function<void()> task) {
  return Timer(loop_->timer_heap.Add(when, std::move(task)));
}
Timer IoThread::After(Clock::duration delay, std::function<void()> task) {
  return At(loop_->now + delay, std::move(task));
}
bool IoThread::IsCurrent() const { return true; }
void IoThread::Start() {}
void IoThread::Stop() {}
IoThread::Loop& IoThread::loop() { return *loop_; }

}  // namespace sessioncast::engineio
