// The rules of one event: what a publisher may publish, what control reads out of it, and its
// stored form.
//
// Pure; any thread: no I/O, no clock, no lock. What control knows of the single kinds is in
// event.cc and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "control/handling.h"
#include "sessioncast/v1/event.pb.h"

namespace sessioncast::control {

// Whether a publisher may publish it. The message names the field and the limit.
absl::Status Validate(const v1::Event& event);

// The same for what ends a clarification. `response` of an answer.
absl::Status ValidateResponse(std::string_view response);

absl::Status ValidateIdempotencyKey(std::string_view key);

// What a clarification event says.
struct ClarificationNote {
  std::string id;
  v1::ClarificationStatus status = v1::CLARIFICATION_STATUS_UNSPECIFIED;
  // When it expires, if it is pending and has a limit.
  std::optional<absl::Time> deadline;
};

// What control needs to know of an event without parsing it again.
struct EventSummary {
  int kind = 0;  // v1::Event::KindCase
  EventHandling handling;
  std::string key;
  // What the session's status is after it; unspecified: as before.
  v1::SessionStatus session_status = v1::SESSION_STATUS_UNSPECIFIED;
  // Of a model result.
  v1::ModelResultStatus result_status = v1::MODEL_RESULT_STATUS_UNSPECIFIED;
  // Of a clarification.
  std::optional<ClarificationNote> clarification;

  bool terminal() const { return handling.delivery == v1::DELIVERY_TERMINAL; }
};

EventSummary Summarize(const v1::Event& event);

// KeyOf every event of this clarification.
std::string ClarificationKey(std::string_view clarification_id);

// An accepted event as it is kept: its bytes are what is stored and what is sent. Immutable once
// made.
struct StoredEvent {
  std::string epoch;
  uint64_t sequence = 0;
  absl::Time time;
  std::string bytes;  // the Event, serialized
  std::string idempotency_key;
  uint64_t payload_hash = 0;  // 0 without a key
  EventSummary summary;

  // What it costs in memory, about.
  size_t bytes_held() const;
};
using StoredEventPtr = std::shared_ptr<const StoredEvent>;

// `event` has its position and time.
StoredEventPtr MakeStoredEvent(const v1::Event& event, std::string idempotency_key,
                               uint64_t payload_hash);

// From the store: parses what MakeStoredEvent serialized. DATA_LOSS if it is not an event.
absl::StatusOr<StoredEventPtr> ParseStoredEvent(std::string bytes, std::string idempotency_key,
                                                uint64_t payload_hash);

// The event again. It was serialized by us, so that it parses is an assertion.
v1::Event EventOf(const StoredEvent& stored);

// A hash of what a publisher published, to tell a retry from another event. Stable across restarts;
// never 0.
uint64_t PayloadHash(const v1::Event& event);

// What is known of a session where an event is appended.
struct SessionCounts {
  uint32_t results_processing = 0;
  uint32_t results_completed = 0;
  uint32_t results_failed = 0;
  uint32_t clarifications_open = 0;
};

// Fills what the publisher left out and control knows.
void FillFrom(const SessionCounts& counts, v1::Event& event);

// The event that ends the clarification that `pending` asked.
v1::Event EndOfClarification(const StoredEvent& pending, v1::ClarificationStatus status,
                             std::optional<std::string> response);

// The event that ends a session that had none for too long: its last progress, if there is one,
// with the status EXPIRED, since it takes that one's place in the fold.
v1::Event ExpiryOf(const std::string& session_id, const StoredEventPtr& last_progress);

google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp);

}  // namespace sessioncast::control
