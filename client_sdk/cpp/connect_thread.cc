#include "client_sdk/cpp/connect_thread.h"

#include <utility>

#include "grpc/support/time.h"

namespace sessioncast {

ConnectThread::ConnectThread(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)), thread_([this] { Run(); }) {}

ConnectThread::~ConnectThread() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void ConnectThread::Wake() {
  const absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void ConnectThread::Run() {
  while (AwaitWake()) {
    const auto poll_end = [] {
      return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                          gpr_time_from_millis(kPollMax.count(), GPR_TIMESPAN));
    };
    while (!Stopping() && !channel_->WaitForConnected(poll_end())) {
    }
  }
}

bool ConnectThread::AwaitWake() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](ConnectThread* self)
           ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return self->woken_ || self->stopping_; },
      this));
  woken_ = false;
  return !stopping_;
}

bool ConnectThread::Stopping() {
  const absl::MutexLock lock(&mutex_);
  return stopping_;
}

}  // namespace sessioncast
