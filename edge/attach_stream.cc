#include "edge/attach_stream.h"

#include <utility>

namespace sessioncast::edge {

std::shared_ptr<AttachStream> AttachStream::Open(v1::EdgeService::Stub& stub,
                                                 engineio::IoThread& thread, Events events,
                                                 std::function<void()> released) {
  std::shared_ptr<AttachStream> stream(
      new AttachStream(thread, std::move(events), std::move(released)));
  stream->self_ = stream;
  stream->context_.set_wait_for_ready(true);
  stub.async()->Attach(&stream->context_, stream.get());
  stream->AddHold();  // the I/O thread starts reads and writes; released when the stream breaks
  stream->StartRead(&stream->incoming_);
  stream->StartCall();
  return stream;
}

AttachStream::AttachStream(engineio::IoThread& thread, Events events,
                           std::function<void()> released)
    : thread_(thread),
      events_(std::make_shared<Events>(std::move(events))),
      released_(std::move(released)) {}

void AttachStream::Begin(uint32_t interest_id, const std::string& session_id) {
  const absl::MutexLock lock(&mutex_);
  begins_[interest_id] = session_id;
  WriteIfIdle();
}

void AttachStream::End(uint32_t interest_id) {
  const absl::MutexLock lock(&mutex_);
  if (begins_.erase(interest_id) == 0) ends_.push_back(interest_id);
  WriteIfIdle();
}

void AttachStream::Next() {
  const absl::MutexLock lock(&mutex_);
  if (!broken_) StartRead(&incoming_);
}

void AttachStream::Cancel() { context_.TryCancel(); }

void AttachStream::Forget() { events_.reset(); }

void AttachStream::WriteIfIdle() {
  if (writing_ || broken_ || (begins_.empty() && ends_.empty())) return;
  outgoing_.Clear();
  for (auto& [id, session_id] : begins_) {
    v1::Interest* interest = outgoing_.add_begin();
    interest->set_interest_id(id);
    interest->set_session_id(std::move(session_id));
  }
  for (const uint32_t id : ends_) outgoing_.add_end(id);
  begins_.clear();
  ends_.clear();
  writing_ = true;
  StartWrite(&outgoing_);
}

void AttachStream::OnReadInitialMetadataDone(bool ok) {
  if (!ok) return;
  thread_.Post([self = self_] {
    if (self->events_ != nullptr) self->events_->ready();
  });
}

void AttachStream::OnReadDone(bool ok) {
  if (!ok) {
    {
      const absl::MutexLock lock(&mutex_);
      if (std::exchange(broken_, true)) return;
    }
    RemoveHold();
    return;
  }
  thread_.Post([self = self_] {
    if (const auto events = self->events_; events != nullptr) events->received(self->incoming_);
  });
}

void AttachStream::OnWriteDone(bool ok) {
  const absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) WriteIfIdle();  // else the read fails too, and ends it
}

void AttachStream::OnDone(const grpc::Status& status) {
  std::shared_ptr<AttachStream> self = std::exchange(self_, nullptr);
  std::string why = status.ok() ? "control closed the stream" : status.error_message();
  const auto released = released_;
  thread_.Post([self = std::move(self), why = std::move(why)] {
    if (const auto events = std::exchange(self->events_, nullptr); events != nullptr) {
      events->ended(why);
    }
  });
  released();
}

}  // namespace sessioncast::edge
