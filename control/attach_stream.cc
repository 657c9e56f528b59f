#include "control/attach_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/grpc_status.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

// What a batch costs beside its events: its id, and an announcement.
constexpr size_t kBatchOverheadBytes = 40;

size_t BytesOf(const v1::LiveBatch& batch) {
  size_t bytes = kBatchOverheadBytes;
  for (const std::string& event : batch.events()) bytes += event.size();
  return bytes;
}

}  // namespace

v1::LiveBatch BatchOf(uint32_t interest_id, const LivePage& page) {
  v1::LiveBatch batch;
  batch.set_interest_id(interest_id);
  if (page.announced.has_value()) *batch.mutable_announced() = *page.announced;
  for (const StoredEventPtr& event : page.events) batch.add_events(event->bytes);
  return batch;
}

AttachStream* AttachStream::Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                                  grpc::CallbackServerContext& context, WritePacer& pacer,
                                  AttachStreamOptions options) {
  std::shared_ptr<AttachStream> stream(new AttachStream(broker, context, pacer, options));
  stream->self_ = stream;
  stream->StartSendInitialMetadata();  // the edge is ready once it is heard
  stream->StartRead(&stream->request_);
  stream->membership_ = long_calls.Add(stream, caller);
  return stream.get();
}

void AttachStream::OnReadDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  if (finished_) return;
  if (!ok) return FinishWith(absl::OkStatus());
  if (absl::Status status = Apply(request_); !status.ok()) return FinishWith(status);
  StartRead(&request_);
  Write();
}

absl::Status AttachStream::Apply(const v1::AttachRequest& request) {
  for (const v1::Interest& interest : request.begin()) {
    if (absl::Status status = Begin(interest); !status.ok()) return status;
  }
  for (const uint32_t interest_id : request.end()) interests_.erase(interest_id);
  return absl::OkStatus();
}

absl::Status AttachStream::Begin(const v1::Interest& interest) {
  if (absl::Status status = CheckId("session_id", interest.session_id()); !status.ok())
    return status;
  if (interests_.size() >= options_.interests_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("begin: at most ", options_.interests_max, " interests"));
  }
  const uint32_t id = interest.interest_id();
  const auto [entry, is_new] = interests_.try_emplace(id);
  if (!is_new)
    return absl::InvalidArgumentError(absl::StrCat("interest_id: ", id, " was used before"));
  entry->second.subscription =
      broker_.Subscribe(interest.session_id(), [weak = weak_from_this(), id] {
        if (const std::shared_ptr<AttachStream> self = weak.lock()) self->Wake(id);
      });
  MarkReady(id);
  return absl::OkStatus();
}

void AttachStream::Wake(uint32_t interest_id) {
  absl::MutexLock lock(&mutex_);
  MarkReady(interest_id);
  Write();
}

void AttachStream::WriteDue() {
  absl::MutexLock lock(&mutex_);
  pace_.Due();
  Write();
}

void AttachStream::MarkReady(uint32_t interest_id) {
  const auto found = interests_.find(interest_id);
  if (found == interests_.end() || std::exchange(found->second.ready, true)) return;
  ready_.push_back(interest_id);
}

void AttachStream::Write() {
  if (writing_ || finished_ || (ready_.empty() && !held_.has_value())) return;
  const bool may_write = pace_.MayWrite([weak = weak_from_this()] {
    if (const std::shared_ptr<AttachStream> self = weak.lock()) self->WriteDue();
  });
  if (!may_write) return;
  response_.Clear();
  Fill(response_);
  if (response_.batches().empty()) return;
  writing_ = true;
  StartWrite(&response_);
}

void AttachStream::Fill(v1::AttachResponse& message) {
  size_t bytes = 0;
  if (held_.has_value()) {
    bytes = BytesOf(*held_);
    *message.add_batches() = *std::exchange(held_, std::nullopt);
    // Its interest may be ready again; it waits for the next message, so that it is in this one
    // once.
    if (bytes >= options_.message_bytes_max) return;
    const uint32_t held_id = message.batches(0).interest_id();
    const auto again = std::find(ready_.begin(), ready_.end(), held_id);
    if (again != ready_.end()) std::rotate(again, again + 1, ready_.end());
  }
  const bool skip_last = !message.batches().empty() && !ready_.empty() &&
                         ready_.back() == message.batches(0).interest_id();
  for (size_t turns = ready_.size() - (skip_last ? 1 : 0);
       turns > 0 && bytes < options_.message_bytes_max; --turns) {
    const uint32_t id = ready_.front();
    ready_.pop_front();
    const auto found = interests_.find(id);
    if (found == interests_.end()) continue;
    found->second.ready = false;
    const LivePage page = found->second.subscription->Next(options_.turn_bytes_max);
    if (page.announced.has_value() || page.more) MarkReady(id);
    if (!page.announced.has_value() && page.events.empty()) continue;
    v1::LiveBatch batch = BatchOf(id, page);
    if (bytes > 0 && bytes + BytesOf(batch) > options_.message_bytes_max) {
      held_ = std::move(batch);
      return;
    }
    bytes += BytesOf(batch);
    *message.add_batches() = std::move(batch);
  }
}

void AttachStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) return FinishWith(absl::CancelledError("the edge has left"));
  Write();
}

void AttachStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  FinishWith(absl::CancelledError("the edge has left"));
}

void AttachStream::EndWith(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  FinishWith(status);
}

void AttachStream::FinishWith(const absl::Status& status) {
  if (!std::exchange(finished_, true)) Finish(ToGrpcStatus(status, context_));
}

void AttachStream::OnDone() {
  {
    absl::MutexLock lock(&mutex_);
    interests_.clear();
  }
  membership_.reset();
  self_.reset();
}

}  // namespace sessioncast::control
