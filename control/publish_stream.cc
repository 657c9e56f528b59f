#include "control/publish_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/grpc_status.h"

namespace sessioncast::control {
namespace {

constexpr int kOutcomesPerMessageMax = 5'000;
constexpr size_t kStopsMax = 10'000;

v1::PublishOutcome Refused(const absl::Status& status) {
  v1::PublishOutcome outcome;
  outcome.mutable_refused()->set_code(static_cast<int>(status.code()));
  outcome.mutable_refused()->set_message(std::string(status.message()));
  return outcome;
}

v1::PublishOutcome OutcomeOf(const absl::StatusOr<Published>& published) {
  if (!published.ok()) return Refused(published.status());
  v1::PublishOutcome outcome;
  *outcome.mutable_accepted()->mutable_position() = published->position;
  outcome.mutable_accepted()->set_duplicate(published->duplicate);
  return outcome;
}

v1::PublishOutcome BehindUnknown() {
  return Refused(
      absl::UnavailableError("an earlier event of the session has an unknown outcome; publish that "
                             "one again first, with its key"));
}

bool IsUnknown(const v1::PublishOutcome& outcome) {
  return outcome.refused().code() == static_cast<int>(absl::StatusCode::kUnavailable);
}

}  // namespace

PublishStream* PublishStream::Start(Broker& broker, LongCalls& long_calls, WritePacer& pacer,
                                    PublishStreamOptions options) {
  std::shared_ptr<PublishStream> stream(new PublishStream(broker, pacer, options));
  stream->self_ = stream;
  {
    absl::MutexLock lock(&stream->mutex_);
    stream->GoOn();
  }
  stream->membership_ = long_calls.Add(stream);
  return stream.get();
}

void PublishStream::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (draining_) return GoOn();
    const size_t events = request_.events_size();
    if (ok && (events == 0 || events > options_.message_events_max)) {
      end_ = absl::InvalidArgumentError(
          absl::StrCat("events: must be 1 to ", options_.message_events_max, ", are ", events));
      ok = false;
    }
    ended_ = !ok;
    accepting_ = ok;
    if (!ok) return GoOn();
  }
  for (v1::PublishEventRequest& event : *request_.mutable_events()) Accept(event);
  absl::MutexLock lock(&mutex_);
  accepting_ = false;
  GoOn();
}

void PublishStream::Accept(v1::PublishEventRequest& event) {
  uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    Entry& entry = entries_.emplace_back();
    number = entry.number = next_number_++;
    entry.session_id = event.event().session_id();
    entry.idempotency_key = event.idempotency_key();
    entry.bytes = event.ByteSizeLong();
    bytes_ += entry.bytes;
    if (!MayPass(entry)) {
      entry.outcome = BehindUnknown();
      entry.known = true;
      return;
    }
    ++unknown_;
  }
  broker_.Publish(std::move(*event.mutable_event()), std::move(*event.mutable_idempotency_key()),
                  [self = shared_from_this(), number](absl::StatusOr<Published> published) {
                    self->Known(number, published);
                  });
}

bool PublishStream::MayPass(const Entry& entry) {
  const auto stop = stops_.find(entry.session_id);
  if (stop == stops_.end() || entry.number > stop->second.until) return true;
  if (entry.idempotency_key.empty() || entry.idempotency_key != stop->second.idempotency_key)
    return false;
  stop->second.until = entry.number;
  return true;
}

void PublishStream::Known(uint64_t number, const absl::StatusOr<Published>& published) {
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[number - entries_.front().number];
  entry.outcome = OutcomeOf(published);
  entry.known = true;
  --unknown_;
  GoOn();
}

void PublishStream::Report(Entry& entry) {
  const auto stop = stops_.find(entry.session_id);
  if (stop != stops_.end() && entry.number < stop->second.until) {
    // It was handed to the broker before the unknown outcome was known.
    if (!entry.outcome.has_refused()) entry.outcome = BehindUnknown();
  } else {
    if (stop != stops_.end()) stops_.erase(stop);
    if (IsUnknown(entry.outcome))
      stops_[entry.session_id] = Stop{entry.idempotency_key, entry.number};
  }
  *response_.add_outcomes() = std::move(entry.outcome);
}

void PublishStream::WriteDue() {
  absl::MutexLock lock(&mutex_);
  pace_.Due();
  GoOn();
}

void PublishStream::WriteOutcomes() {
  const bool may_write = pace_.MayWrite([weak = weak_from_this()] {
    if (const std::shared_ptr<PublishStream> self = weak.lock()) self->WriteDue();
  });
  if (!may_write) return;
  response_.Clear();
  while (!entries_.empty() && entries_.front().known &&
         response_.outcomes_size() < kOutcomesPerMessageMax) {
    Report(entries_.front());
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
  writing_ = true;
  StartWrite(&response_);
}

void PublishStream::GoOn() {
  if (finished_) return;
  if (!writing_ && !broken_ && !entries_.empty() && entries_.front().known) WriteOutcomes();
  if (stops_.size() > kStopsMax && !ended_ && !reading_) {
    end_ = absl::UnavailableError(
        "too many sessions have unknown outcomes; publish again on another stream");
    ended_ = true;
  }
  if (!ended_ && !broken_ && !reading_ && !accepting_ && bytes_ < options_.bytes_max) {
    reading_ = true;
    StartRead(&request_);
  }
  const bool reads = reading_ && !draining_;
  const bool all_told = entries_.empty() || (broken_ && unknown_ == 0);
  if ((ended_ || broken_) && !reads && !accepting_ && !writing_ && all_told) {
    finished_ = true;
    Finish(ToGrpcStatus(end_));
  }
}

void PublishStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) broken_ = true;
  GoOn();
}

void PublishStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  broken_ = true;
  GoOn();
}

void PublishStream::Drain() {
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  if (!std::exchange(ended_, true)) end_ = ServerStops();
  GoOn();
}

void PublishStream::OnDone() {
  membership_.reset();
  self_.reset();
}

}  // namespace sessioncast::control
