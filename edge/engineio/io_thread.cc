#include "edge/engineio/io_thread.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "edge/engineio/io_loop.h"

namespace sessioncast::engineio {
namespace {

// After so many timers the loop looks at its sockets again.
constexpr int kTimersInARow = 64;

}  // namespace

IoThread::Loop::Loop(size_t index)
    : index(index), work(boost::asio::make_work_guard(context)), alarm_(context) {}

void IoThread::Loop::Post(std::function<void()> task) {
  bool was_empty = false;
  {
    std::lock_guard lock(inbox_mutex_);
    was_empty = inbox_.empty();
    inbox_.push_back(std::move(task));
  }
  // The thread is woken once for all that gathers until it looks.
  if (was_empty) boost::asio::post(context, [this] { DrainInbox(); });
}

void IoThread::Loop::DrainInbox() {
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(inbox_mutex_);
    tasks.swap(inbox_);
  }
  for (std::function<void()>& task : tasks) {
    task();
    task = nullptr;  // what it holds goes now, not with the last of them
  }
}

TimerHeap::EntryPointer IoThread::Loop::AddTimer(Clock::time_point when,
                                                 std::function<void()> task) {
  TimerHeap::EntryPointer entry = timers_.Add(when, std::move(task));
  if (timers_.earliest() < armed_for_) Arm();
  return entry;
}

void IoThread::Loop::Arm() {
  armed_for_ = timers_.earliest();
  alarm_.expires_at(armed_for_);
  alarm_.async_wait([this](const boost::system::error_code& error) {
    if (!error) RunDueTimers();
  });
}

void IoThread::Loop::RunDueTimers() {
  armed_for_ = Clock::time_point::max();
  for (int i = 0; i < kTimersInARow; ++i) {
    TimerHeap::EntryPointer due = timers_.TakeDue(Clock::now());
    if (due == nullptr) break;
    const std::function<void()> task = std::move(due->task);
    task();
  }
  if (!timers_.empty() && timers_.earliest() < armed_for_) Arm();
}

IoThread::IoThread(size_t index) : loop_(std::make_unique<Loop>(index)) {}

IoThread::~IoThread() { Stop(); }

size_t IoThread::index() const { return loop_->index; }

Clock::time_point IoThread::now() const { return Clock::now(); }

void IoThread::Post(std::function<void()> task) { loop_->Post(std::move(task)); }

Timer IoThread::At(Clock::time_point when, std::function<void()> task) {
  return Timer(loop_->AddTimer(when, std::move(task)));
}

Timer IoThread::After(Clock::duration delay, std::function<void()> task) {
  return At(now() + delay, std::move(task));
}

bool IoThread::IsCurrent() const {
  return loop_->running_thread.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

void IoThread::Start() {
  assert(!loop_->thread.joinable());
  loop_->thread = std::thread([loop = loop_.get()] {
    loop->running_thread = std::this_thread::get_id();
    loop->context.run();
  });
}

void IoThread::Stop() {
  if (!loop_->thread.joinable()) return;
  assert(!IsCurrent());
  loop_->context.stop();
  loop_->thread.join();
}

IoThread::Loop& IoThread::loop() { return *loop_; }

}  // namespace sessioncast::engineio
