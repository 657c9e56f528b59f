#include "control/event.h"

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/validate.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

constexpr absl::Duration kTimeLimitMin = absl::Milliseconds(1);
constexpr absl::Duration kTimeLimitMax = absl::Hours(24 * 30);

absl::Duration FromDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status ValidateProgress(const v1::Progress& progress) {
  Checker check("progress");
  check.Enum<v1::SessionStatus_IsValid>("status", progress.status());
  check.That(progress.status() != v1::SESSION_STATUS_EXPIRED, "status",
             "EXPIRED is written by control alone");
  if (!(progress.percent() >= 0 && progress.percent() <= 100)) {
    check.Fail("percent", absl::StrCat("must be 0 to 100, is ", progress.percent()));
  }
  for (const uint32_t count :
       {progress.prompts().total(), progress.prompts().completed(), progress.prompts().processing(),
        progress.prompts().pending(), progress.prompts().failed()}) {
    check.Count("prompts", count);
  }
  check.Count("clarification_count", progress.clarification_count());
  check.Object("result", progress.result());
  return check.status();
}

absl::Status ValidateModelResult(const v1::ModelResult& result) {
  Checker check("model_result");
  check.RequiredText("model_name", result.model_name(), kNameBytesMax);
  check.Text("provider", result.provider(), kNameBytesMax);
  check.Text("run_id", result.run_id(), kNameBytesMax);
  if (result.duration_ms() >= (uint64_t{1} << 53)) {
    check.Fail("duration_ms", absl::StrCat("must be 0 to 2^53 - 1, is ", result.duration_ms()));
  }
  check.Text("result", result.result(), kResultEventBytesMax);
  check.Enum<v1::ModelResultStatus_IsValid>("status", result.status());
  check.That(!result.has_error() || result.status() == v1::MODEL_RESULT_STATUS_FAILED, "error",
             "only with status FAILED");
  check.Text("error", result.error(), kTextBytesMax);
  return check.status();
}

absl::Status ValidateClarification(const v1::Clarification& clarification) {
  Checker check("clarification");
  check.Id("clarification_id", clarification.clarification_id());
  check.That(clarification.status() == v1::CLARIFICATION_STATUS_PENDING, "status",
             "must be PENDING: control writes what ends a clarification");
  check.RequiredText("question", clarification.question(), kTextBytesMax);
  check.That(!clarification.has_response(), "response", "is written by control");
  check.Text("default_response", clarification.default_response(), kTextBytesMax);
  if (clarification.has_time_limit()) {
    const absl::Duration limit = FromDuration(clarification.time_limit());
    check.That(limit >= kTimeLimitMin && limit <= kTimeLimitMax, "time_limit",
               "must be 1 ms to 30 days");
  }
  return check.status();
}

absl::Status ValidateError(const v1::Error& error) {
  Checker check("error");
  check.RequiredText("message", error.message(), kTextBytesMax);
  return check.status();
}

absl::Status ValidateCustom(const v1::Custom& custom) {
  if (absl::Status status = CheckCustomName("custom.name", custom.name()); !status.ok())
    return status;
  Checker check("custom");
  check.Object("data", custom.data());
  return check.status();
}

absl::Status ValidateCompleted(const v1::Completed& completed) {
  Checker check("completed");
  check.Object("result", completed.result());
  return check.status();
}

absl::Status ValidateKind(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return ValidateProgress(event.progress());
    case v1::Event::kModelResult:
      return ValidateModelResult(event.model_result());
    case v1::Event::kClarification:
      return ValidateClarification(event.clarification());
    case v1::Event::kCompleted:
      return ValidateCompleted(event.completed());
    case v1::Event::kError:
      return ValidateError(event.error());
    case v1::Event::kCustom:
      return ValidateCustom(event.custom());
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "kind: must be set, to one of progress, model_result, clarification, "
      "completed, error, custom");
}

bool HasResult(const v1::Event& event) {
  return event.progress().has_result() || event.completed().has_result() ||
         !event.model_result().result().empty();
}

v1::SessionStatus SessionStatusAfter(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return event.progress().status();
    case v1::Event::kCompleted:
      return v1::SESSION_STATUS_COMPLETED;
    case v1::Event::kError:
      return event.error().final() ? v1::SESSION_STATUS_FAILED : v1::SESSION_STATUS_UNSPECIFIED;
    default:
      return v1::SESSION_STATUS_UNSPECIFIED;
  }
}

std::optional<ClarificationNote> NoteOf(const v1::Event& event) {
  if (!event.has_clarification()) return std::nullopt;
  const v1::Clarification& clarification = event.clarification();
  ClarificationNote note{clarification.clarification_id(), clarification.status(), std::nullopt};
  if (note.status == v1::CLARIFICATION_STATUS_PENDING && clarification.has_time_limit()) {
    note.deadline = FromTimestamp(event.time()) + FromDuration(clarification.time_limit());
  }
  return note;
}

StoredEventPtr Store(const v1::Event& event, std::string bytes, std::string idempotency_key,
                     uint64_t payload_hash) {
  auto stored = std::make_shared<StoredEvent>();
  stored->epoch = event.position().epoch();
  stored->sequence = event.position().sequence();
  stored->time = FromTimestamp(event.time());
  stored->bytes = std::move(bytes);
  stored->idempotency_key = std::move(idempotency_key);
  stored->payload_hash = payload_hash;
  stored->summary = Summarize(event);
  return stored;
}

}  // namespace

absl::Status Validate(const v1::Event& event) {
  if (absl::Status status = CheckId("session_id", event.session_id()); !status.ok()) return status;
  if (event.has_position())
    return absl::InvalidArgumentError("position: is set by control, leave it out");
  if (event.has_time()) return absl::InvalidArgumentError("time: is set by control, leave it out");
  const size_t bytes_max = HasResult(event) ? kResultEventBytesMax : kEventBytesMax;
  if (const size_t bytes = event.ByteSizeLong(); bytes > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("event: at most ", bytes_max, " bytes serialized, has ", bytes));
  }
  return ValidateKind(event);
}

absl::Status ValidateResponse(std::string_view response) {
  Checker check("");
  check.Text("response", response, kTextBytesMax);
  return check.status();
}

absl::Status ValidateIdempotencyKey(std::string_view key) {
  Checker check("");
  check.Text("idempotency_key", key, kIdempotencyKeyBytesMax);
  return check.status();
}

std::string ClarificationKey(std::string_view clarification_id) {
  v1::Event event;
  event.mutable_clarification()->set_clarification_id(std::string(clarification_id));
  return KeyOf(event);
}

EventSummary Summarize(const v1::Event& event) {
  EventSummary summary;
  summary.kind = event.kind_case();
  summary.handling = HandlingOf(event);
  summary.key = KeyOf(event);
  summary.session_status = SessionStatusAfter(event);
  summary.result_status = event.model_result().status();
  summary.clarification = NoteOf(event);
  return summary;
}

size_t StoredEvent::bytes_held() const {
  return sizeof(StoredEvent) + bytes.size() + idempotency_key.size() + summary.key.size();
}

StoredEventPtr MakeStoredEvent(const v1::Event& event, std::string idempotency_key,
                               uint64_t payload_hash) {
  return Store(event, event.SerializeAsString(), std::move(idempotency_key), payload_hash);
}

absl::StatusOr<StoredEventPtr> ParseStoredEvent(std::string bytes, std::string idempotency_key,
                                                uint64_t payload_hash) {
  v1::Event event;
  if (!event.ParseFromString(bytes)) return absl::DataLossError("a stored event does not parse");
  return Store(event, std::move(bytes), std::move(idempotency_key), payload_hash);
}

v1::Event EventOf(const StoredEvent& stored) {
  v1::Event event;
  const bool parsed = event.ParseFromString(stored.bytes);
  assert(parsed);
  static_cast<void>(parsed);
  return event;
}

uint64_t PayloadHash(const v1::Event& event) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    event.SerializeToCodedStream(&coded);
  }
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash == 0 ? 1 : hash;
}

void FillFrom(const SessionCounts& counts, v1::Event& event) {
  if (!event.has_progress()) return;
  v1::Progress& progress = *event.mutable_progress();
  if (!progress.has_prompts()) {
    v1::Prompts& prompts = *progress.mutable_prompts();
    prompts.set_total(counts.results_processing + counts.results_completed + counts.results_failed);
    prompts.set_completed(counts.results_completed);
    prompts.set_processing(counts.results_processing);
    prompts.set_failed(counts.results_failed);
  }
  if (!progress.has_clarification_count())
    progress.set_clarification_count(counts.clarifications_open);
  if (!progress.has_has_clarifications())
    progress.set_has_clarifications(counts.clarifications_open > 0);
  if (!progress.has_result_available()) progress.set_result_available(progress.has_result());
}

v1::Event EndOfClarification(const StoredEvent& pending, v1::ClarificationStatus status,
                             std::optional<std::string> response) {
  v1::Event event = EventOf(pending);
  event.clear_position();
  event.clear_time();
  v1::Clarification& clarification = *event.mutable_clarification();
  if (status == v1::CLARIFICATION_STATUS_EXPIRED && clarification.has_default_response()) {
    response = clarification.default_response();
  }
  clarification.set_status(status);
  if (response.has_value()) clarification.set_response(*std::move(response));
  return event;
}

v1::Event ExpiryOf(const std::string& session_id, const StoredEventPtr& last_progress) {
  v1::Event event = last_progress == nullptr ? v1::Event() : EventOf(*last_progress);
  event.clear_position();
  event.clear_time();
  event.set_session_id(session_id);
  v1::Progress& progress = *event.mutable_progress();
  progress.set_status(v1::SESSION_STATUS_EXPIRED);
  progress.clear_clarification_count();
  progress.clear_has_clarifications();
  return event;
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(micros / 1'000'000);
  timestamp.set_nanos(static_cast<int32_t>(micros % 1'000'000) * 1'000);
  return timestamp;
}

absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

}  // namespace sessioncast::control
