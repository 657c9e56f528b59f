// For job runners: publishes into sessions, and asks their human, through whatever happens to the
// connection or to control.
//
// Each event has an idempotency key (made here if the caller gives none), so that it is published
// again after a lost answer and stored once. What is refused for good (INVALID_ARGUMENT,
// FAILED_PRECONDITION: the session has ended, ALREADY_EXISTS: the key has another event, ...) is not
// tried again. After `publish_timeout` the error is the last attempt's; IsUnknownOutcome (client.h)
// says whether the event may have been stored.
//
// Threads: any; a Publisher may be shared. It has two threads of its own, asleep while there is
// nothing to do. Calls block the thread that makes them, unless it says otherwise.
// Order: of events that were handed to PublishSoon, as they were. The other calls go by themselves:
// Flush before one that is to come after those.
// Bounds: in_flight_events_max and in_flight_bytes_max of PublishSoon.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sessioncast/client.h"
#include "sessioncast/credentials.h"
#include "sessioncast/retry.h"
#include "sessioncast/v1/event.pb.h"
#include "sessioncast/v1/session_service.pb.h"

namespace sessioncast {

struct PublisherOptions {
  std::string control = "localhost:50051";  // HOST:PORT
  Credentials credentials = {};
  RetryOptions retry = {};
  // From the call until an event is given up.
  std::chrono::milliseconds publish_timeout{60'000};
  // Of events that were handed to PublishSoon and have no outcome. One event always fits.
  size_t in_flight_events_max = 10'000;
  size_t in_flight_bytes_max = 16 * 1024 * 1024;
};

class PublishPipeline;

class Publisher {
 public:
  using Outcome = absl::StatusOr<v1::PublishEventResponse>;

  explicit Publisher(PublisherOptions options = {});
  // Closes.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Durable when it returns.
  Outcome Publish(const v1::Event& event, const std::string& idempotency_key = "");

  // Publishes it behind those before, many in one message: what there is goes at once. Events of one
  // session stand in the log in the order of the calls. Waits only while there is no room in flight.
  // `on_outcome` may be empty; it comes on the Publisher's thread, in the order of the calls, and
  // should be short; a PublishSoon in it does not wait for room.
  void PublishSoon(v1::Event event, std::function<void(const Outcome&)> on_outcome = {},
                   std::string idempotency_key = "");

  // When all that was handed to PublishSoon has its outcome: the first error among them since the
  // Flush before. Not from an `on_outcome`.
  absl::Status Flush();

  // When the question is answered, expires or is cancelled, however long that takes. The
  // clarification_id is made if it is empty, so that a lost connection asks nothing twice.
  absl::StatusOr<v1::AskClarificationResponse> AskClarification(v1::AskClarificationRequest request);

  // OK: this answer counts. ALREADY_EXISTS: another was first (DetailOf has it).
  absl::Status AnswerClarification(const std::string& session_id,
                                   const std::string& clarification_id,
                                   const std::string& response);
  // OK: it is withdrawn. ALREADY_EXISTS: it had ended (DetailOf has how).
  absl::Status CancelClarification(const std::string& session_id,
                                   const std::string& clarification_id);

  absl::StatusOr<v1::Snapshot> GetSession(const std::string& session_id);
  // page_size 1..1,000; 0: 100. page_token: of the page before, or empty.
  absl::StatusOr<v1::ListSessionsResponse> ListSessions(int page_size = 0,
                                                        const std::string& page_token = "");

  // What is in flight has its outcome when it returns; calls that wait to try again end with what
  // they have. Later calls are FAILED_PRECONDITION. Not from an `on_outcome`.
  void Close();

 private:
  // Until it succeeds, is refused for good, or `timeout` has passed. `attempt` is a call of client_.
  template <typename Attempt>
  auto Retry(std::chrono::milliseconds timeout, const Attempt& attempt) -> decltype(attempt());
  // Whether the time has passed without a Close.
  bool Pause(std::chrono::milliseconds time);
  absl::Status EndClarification(const std::function<absl::Status()>& attempt,
                                const std::function<bool(const v1::Clarification&)>& is_ours);

  class Closing;

  const PublisherOptions options_;
  const std::shared_ptr<Line> line_;
  Client client_;
  const std::unique_ptr<Closing> closing_;
  const std::unique_ptr<PublishPipeline> pipeline_;
};

}  // namespace sessioncast
