#include "sessioncast/publisher.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client_sdk/cpp/backoff.h"
#include "client_sdk/cpp/line.h"
#include "client_sdk/cpp/publish_pipeline.h"

namespace sessioncast {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kForEver = std::chrono::hours(24 * 365);

// 128 random bits: no two are the same.
std::string MakeId() {
  absl::BitGen random;
  return absl::StrFormat("%016x%016x", absl::Uniform<uint64_t>(random),
                         absl::Uniform<uint64_t>(random));
}

const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace

class Publisher::Closing {
 public:
  void Begin() {
    const absl::MutexLock lock(&mutex_);
    begun_ = true;
  }
  // Whether it came within `time`.
  bool Await(std::chrono::milliseconds time) {
    const absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&begun_), absl::FromChrono(time));
  }

 private:
  absl::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
};

Publisher::Publisher(PublisherOptions options)
    : options_(std::move(options)),
      line_(std::make_shared<Line>(options_.control, options_.credentials)),
      client_({.control = options_.control, .call_timeout = options_.retry.call_timeout}, line_),
      closing_(std::make_unique<Closing>()),
      pipeline_(std::make_unique<PublishPipeline>(*line_, options_)) {}

Publisher::~Publisher() { Close(); }

bool Publisher::Pause(std::chrono::milliseconds time) { return !closing_->Await(time); }

template <typename Attempt>
auto Publisher::Retry(std::chrono::milliseconds timeout, const Attempt& attempt)
    -> decltype(attempt()) {
  const Clock::time_point give_up = Clock::now() + timeout;
  Backoff backoff(options_.retry);
  if (!Pause(std::chrono::milliseconds(0))) {
    return absl::FailedPreconditionError("the Publisher is closed");
  }
  while (true) {
    auto result = attempt();
    if (result.ok() || !MayTryAgain(StatusOf(result))) return result;
    const std::chrono::milliseconds pause = backoff.Next(StatusOf(result));
    if (Clock::now() + pause >= give_up || !Pause(pause)) return result;
  }
}

Publisher::Outcome Publisher::Publish(const v1::Event& event, const std::string& idempotency_key) {
  const std::string key = idempotency_key.empty() ? MakeId() : idempotency_key;
  return Retry(options_.publish_timeout, [&] { return client_.Publish(event, key); });
}

void Publisher::PublishSoon(v1::Event event, std::function<void(const Outcome&)> on_outcome,
                            std::string idempotency_key) {
  v1::PublishEventRequest request;
  *request.mutable_event() = std::move(event);
  request.set_idempotency_key(idempotency_key.empty() ? MakeId() : std::move(idempotency_key));
  pipeline_->Add(std::move(request), std::move(on_outcome));
}

absl::Status Publisher::Flush() { return pipeline_->Flush(); }

absl::StatusOr<v1::AskClarificationResponse> Publisher::AskClarification(
    v1::AskClarificationRequest request) {
  if (request.clarification_id().empty()) request.set_clarification_id(MakeId());
  return Retry(kForEver, [&] { return client_.Ask(request); });
}

absl::Status Publisher::EndClarification(
    const std::function<absl::Status()>& attempt,
    const std::function<bool(const v1::Clarification&)>& is_ours) {
  bool is_unknown = false;
  return Retry(options_.publish_timeout, [&]() -> absl::Status {
    absl::Status status = attempt();
    // An attempt before it may have been the first.
    if (is_unknown && absl::IsAlreadyExists(status) && is_ours(DetailOf(status).winner())) {
      return absl::OkStatus();
    }
    is_unknown = is_unknown || IsUnknownOutcome(status);
    return status;
  });
}

absl::Status Publisher::AnswerClarification(const std::string& session_id,
                                            const std::string& clarification_id,
                                            const std::string& response) {
  return EndClarification(
      [&] { return client_.Answer(session_id, clarification_id, response).status(); },
      [&](const v1::Clarification& winner) {
        return winner.status() == v1::CLARIFICATION_STATUS_ANSWERED && winner.response() == response;
      });
}

absl::Status Publisher::CancelClarification(const std::string& session_id,
                                            const std::string& clarification_id) {
  return EndClarification([&] { return client_.Cancel(session_id, clarification_id).status(); },
                          [&](const v1::Clarification& winner) {
                            return winner.status() == v1::CLARIFICATION_STATUS_CANCELLED;
                          });
}

absl::StatusOr<v1::Snapshot> Publisher::GetSession(const std::string& session_id) {
  return Retry(options_.publish_timeout, [&] { return client_.GetSession(session_id); });
}

absl::StatusOr<v1::ListSessionsResponse> Publisher::ListSessions(int page_size,
                                                                 const std::string& page_token) {
  return Retry(options_.publish_timeout,
               [&] { return client_.ListSessions(page_size, page_token); });
}

void Publisher::Close() {
  closing_->Begin();
  pipeline_->Close();
}

}  // namespace sessioncast
