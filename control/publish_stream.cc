#include "control/publish_stream.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/grpc_status.h"

namespace sessioncast::control {
namespace {

constexpr int kOutcomesPerMessageMax = 5'000;
constexpr size_t kStopsMax = 10'000;
// Events of one session that are handed over at one time.
constexpr int kTogetherMax = 64;

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

PublishStream* PublishStream::Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                                    WritePacer& pacer, PublishStreamOptions options) {
  std::shared_ptr<PublishStream> stream(new PublishStream(broker, caller, pacer, options));
  stream->self_ = stream;
  {
    absl::MutexLock lock(&stream->mutex_);
    stream->GoOn();
  }
  stream->membership_ = long_calls.Add(stream, caller);
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
  Accept(request_);
  absl::MutexLock lock(&mutex_);
  accepting_ = false;
  GoOn();
}

void PublishStream::Accept(v1::PublishEventsRequest& message) {
  uint64_t number = 0;
  std::vector<bool> passes;
  {
    absl::MutexLock lock(&mutex_);
    number = next_number_;
    for (const v1::PublishEventRequest& event : message.events()) passes.push_back(Add(event));
  }
  for (int at = 0; at < message.events_size();) {
    const int first = at;
    const std::string session_id = message.events(first).event().session_id();
    std::vector<Publication> together;
    while (at < message.events_size() && at - first < kTogetherMax && passes[at] &&
           message.events(at).event().session_id() == session_id) {
      v1::PublishEventRequest& event = *message.mutable_events(at++);
      together.push_back(
          {std::move(*event.mutable_event()), std::move(*event.mutable_idempotency_key())});
    }
    if (together.empty()) {
      ++at;
      continue;
    }
    broker_.PublishAll(session_id, std::move(together),
                       [self = shared_from_this(), of = number + first](
                           const Broker::Outcomes& outcomes) { self->Known(of, outcomes); });
  }
}

bool PublishStream::Add(const v1::PublishEventRequest& event) {
  Entry& entry = entries_.emplace_back();
  entry.number = next_number_++;
  entry.session_id = event.event().session_id();
  entry.idempotency_key = event.idempotency_key();
  entry.bytes = event.ByteSizeLong();
  bytes_ += entry.bytes;
  const absl::Status may_use = caller_.MayUse(entry.session_id);
  if (may_use.ok() && MayPass(entry)) {
    ++unknown_;
    return true;
  }
  entry.outcome = may_use.ok() ? BehindUnknown() : Refused(may_use);
  entry.known = true;
  return false;
}

bool PublishStream::MayPass(const Entry& entry) {
  const auto stop = stops_.find(entry.session_id);
  if (stop == stops_.end() || entry.number > stop->second.until) return true;
  if (entry.idempotency_key.empty() || entry.idempotency_key != stop->second.idempotency_key)
    return false;
  stop->second.until = entry.number;
  return true;
}

void PublishStream::Known(uint64_t first, const Broker::Outcomes& outcomes) {
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    Entry& entry = entries_[first + i - entries_.front().number];
    entry.outcome = OutcomeOf(outcomes[i]);
    entry.known = true;
  }
  unknown_ -= outcomes.size();
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

void PublishStream::EndWith(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  draining_ = true;
  if (!std::exchange(ended_, true)) end_ = std::move(status);
  GoOn();
}

void PublishStream::OnDone() {
  membership_.reset();
  self_.reset();
}

}  // namespace sessioncast::control
