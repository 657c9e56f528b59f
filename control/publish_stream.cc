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
constexpr size_t kTogetherMax = 64;

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

}  // namespace

PublishStream* PublishStream::Start(Broker& broker, LongCalls& long_calls, const Caller& caller,
                                    grpc::CallbackServerContext& context, WritePacer& pacer,
                                    PublishStreamOptions options) {
  std::shared_ptr<PublishStream> stream(
      new PublishStream(broker, caller, context, pacer, options));
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
  for (int at = 0; at < message.events_size();) {
    const std::string session_id = message.events(at).event().session_id();
    Run run = TakeRun(message, at);
    if (run.publications.empty()) continue;
    broker_.PublishAll(session_id, std::move(run.publications), std::move(run.order),
                       [self = shared_from_this(), first = run.first](
                           const Broker::Outcomes& outcomes) { self->Known(first, outcomes); });
  }
}

PublishStream::Run PublishStream::TakeRun(v1::PublishEventsRequest& message, int& at) {
  absl::MutexLock lock(&mutex_);
  const std::string& session_id = message.events(at).event().session_id();
  Run run{next_number_, {}, nullptr};
  do {
    v1::PublishEventRequest& event = *message.mutable_events(at++);
    if (!Add(event)) break;
    run.publications.push_back(
        {std::move(*event.mutable_event()), std::move(*event.mutable_idempotency_key())});
  } while (at < message.events_size() && run.publications.size() < kTogetherMax &&
           message.events(at).event().session_id() == session_id);
  if (!run.publications.empty()) run.order = orders_.find(session_id)->second.order;
  return run;
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
    JoinOrder(entry);
    return true;
  }
  entry.outcome = Refused(may_use.ok() ? PublishOrder::Behind() : may_use);
  entry.known = true;
  return false;
}

void PublishStream::JoinOrder(const Entry& entry) {
  InOrder& in_order = orders_[entry.session_id];
  const auto stop = stops_.find(entry.session_id);
  const bool begins_anew = stop != stops_.end() && entry.number == stop->second.until;
  if (in_order.order == nullptr || begins_anew) {
    in_order.order = std::make_shared<PublishOrder>(!entry.idempotency_key.empty());
  }
  ++in_order.unknown;
}

void PublishStream::LeaveOrder(const Entry& entry) {
  const auto in_order = orders_.find(entry.session_id);
  if (--in_order->second.unknown == 0) orders_.erase(in_order);
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
    StopOrGoOn(entry, outcomes[i].status());
    LeaveOrder(entry);
  }
  unknown_ -= outcomes.size();
  GoOn();
}

void PublishStream::StopOrGoOn(Entry& entry, const absl::Status& status) {
  auto stop = stops_.find(entry.session_id);
  if (stop != stops_.end() && entry.number == stop->second.until) {
    stops_.erase(stop);
    stop = stops_.end();
  }
  const bool is_behind = stop != stops_.end() && entry.number > stop->second.from &&
                         entry.number < stop->second.until;
  if (is_behind) {
    // The broker had it before the outcome of the one before it was known.
    if (status.ok()) entry.outcome = Refused(PublishOrder::Behind());
  } else if (ComesAgain(status, !entry.idempotency_key.empty())) {
    stops_[entry.session_id] = Stop{entry.idempotency_key, entry.number};
  }
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
    *response_.add_outcomes() = std::move(entries_.front().outcome);
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
    Finish(ToGrpcStatus(end_, context_));
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
