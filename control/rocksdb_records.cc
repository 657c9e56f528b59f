#include "control/rocksdb_records.h"

#include <zlib.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

constexpr char kEventTag = 'e';
constexpr char kFoldTag = 'f';
constexpr size_t kNumberBytes = 8;
constexpr size_t kChecksumBytes = 4;

std::string EventPrefix(const std::string& session_id) {
  return absl::StrCat(std::string(1, kEventTag), session_id, std::string(1, '\0'));
}

// Over key and record, so that a record under another's key is found out too.
std::string Checksum(std::string_view key, std::string_view record) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(key.data()), static_cast<uInt>(key.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(record.data()), static_cast<uInt>(record.size()));
  return Number(crc).substr(kNumberBytes - kChecksumBytes);
}

// False: the record is damaged.
bool Unseal(std::string_view key, std::string_view value, google::protobuf::MessageLite& record) {
  if (value.size() < kChecksumBytes) return false;
  const std::string_view bytes = value.substr(kChecksumBytes);
  return value.substr(0, kChecksumBytes) == Checksum(key, bytes) &&
         record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string Number(uint64_t number) {
  std::string bytes(kNumberBytes, '\0');
  for (size_t i = 0; i < kNumberBytes; ++i) {
    bytes[i] = static_cast<char>(number >> (8 * (kNumberBytes - 1 - i)));
  }
  return bytes;
}

uint64_t ReadNumber(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

std::string EventKey(const std::string& session_id, uint64_t sequence) {
  return EventPrefix(session_id) + Number(sequence);
}

std::string SessionKey(const std::string& session_id) {
  return absl::StrCat(std::string(1, kSessionTag), session_id);
}

std::string FoldKey(const std::string& session_id) {
  return absl::StrCat(std::string(1, kFoldTag), session_id);
}

std::string DeadlineKey(const Deadline& deadline) {
  return absl::StrCat(std::string(1, kDeadlineTag),
                      Number(static_cast<uint64_t>(absl::ToUnixMillis(deadline.time))),
                      deadline.session_id, std::string(1, '\0'), deadline.clarification_id);
}

absl::StatusOr<Deadline> ReadDeadline(std::string_view key) {
  const absl::Status damaged = absl::DataLossError("a deadline's key in the store is damaged");
  if (key.size() < 1 + kNumberBytes) return damaged;
  const std::string names = std::string(key.substr(1 + kNumberBytes));
  const size_t end = names.find('\0');
  if (end == std::string::npos) return damaged;
  const uint64_t millis = ReadNumber(key.substr(1, kNumberBytes));
  return Deadline{absl::FromUnixMillis(static_cast<int64_t>(millis)), names.substr(0, end),
                  names.substr(end + 1)};
}

std::string Seal(const std::string& key, const google::protobuf::MessageLite& record) {
  const std::string bytes = record.SerializeAsString();
  return Checksum(key, bytes) + bytes;
}

EventRecord RecordOf(const StoredEvent& event) {
  EventRecord record;
  record.set_event(event.bytes);
  record.set_idempotency_key(event.idempotency_key);
  record.set_payload_hash(event.payload_hash);
  return record;
}

SessionRecord RecordOf(const std::string& session_id, const StoredSession& session) {
  SessionRecord record;
  record.set_summary(SummaryOf(session_id, session).SerializeAsString());
  record.set_first_sequence(session.first_sequence);
  return record;
}

FoldRecord RecordOf(const FoldState& fold) {
  FoldRecord record;
  record.set_through(fold.through);
  for (const StoredEventPtr& event : fold.entries) record.add_entries(event->bytes);
  record.set_results_processing(fold.totals.results_processing);
  record.set_results_completed(fold.totals.results_completed);
  record.set_results_failed(fold.totals.results_failed);
  record.set_status(fold.totals.status);
  record.set_end_sequence(fold.totals.end_sequence);
  record.set_clarifications_left_out(fold.totals.clarifications_left_out);
  record.set_model_results_left_out(fold.totals.model_results_left_out);
  return record;
}

absl::StatusOr<StoredEventPtr> ReadEvent(std::string_view key, std::string_view value) {
  EventRecord record;
  if (!Unseal(key, value, record)) return absl::DataLossError("store: an event is damaged");
  return ParseStoredEvent(std::move(*record.mutable_event()),
                          std::move(*record.mutable_idempotency_key()), record.payload_hash());
}

absl::StatusOr<StoredSession> ReadSession(std::string_view key, std::string_view value) {
  SessionRecord record;
  v1::SessionSummary summary;
  if (!Unseal(key, value, record) || !summary.ParseFromString(record.summary())) {
    return absl::DataLossError("store: a session's record is damaged");
  }
  return StoredSession{summary.position(),
                       summary.status(),
                       FromTimestamp(summary.create_time()),
                       FromTimestamp(summary.update_time()),
                       record.first_sequence(),
                       std::nullopt};
}

absl::StatusOr<FoldState> ReadFold(std::string_view key, std::string_view value) {
  FoldRecord record;
  if (!Unseal(key, value, record)) return absl::DataLossError("store: a fold is damaged");
  FoldState fold;
  fold.through = record.through();
  for (std::string& bytes : *record.mutable_entries()) {
    absl::StatusOr<StoredEventPtr> event = ParseStoredEvent(std::move(bytes), "", 0);
    if (!event.ok()) return event.status();
    fold.entries.push_back(*std::move(event));
  }
  fold.totals.results_processing = record.results_processing();
  fold.totals.results_completed = record.results_completed();
  fold.totals.results_failed = record.results_failed();
  fold.totals.status = static_cast<v1::SessionStatus>(record.status());
  fold.totals.end_sequence = record.end_sequence();
  fold.totals.clarifications_left_out = record.clarifications_left_out();
  fold.totals.model_results_left_out = record.model_results_left_out();
  return fold;
}

}  // namespace sessioncast::control
