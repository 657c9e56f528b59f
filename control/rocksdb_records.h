// The keys and records of the store in RocksDB, as bytes.
//
// Pure; any thread. Keys, by their first byte: 'e' session \0 sequence (8 bytes, highest first) →
// EventRecord; 's' session → SessionRecord; 'f' session → FoldRecord; each record behind a checksum
// of key and record. 'd' milliseconds (8 bytes, highest first) session \0 clarification, or nothing
// → nothing. What belongs to the whole store has names in capitals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/deadline.h"
#include "control/event.h"
#include "control/record.pb.h"
#include "control/stored_session.h"

namespace sessioncast::control {

inline constexpr char kSessionTag = 's';
inline constexpr char kDeadlineTag = 'd';
// Which layout the store has; another one is refused.
inline constexpr char kFormatKey[] = "FORMAT";
inline constexpr char kFormat[] = "4";
// In it the record of a session is put with each append: it reads like ours, and becomes one.
inline constexpr char kFormatBefore[] = "3";
// Where formats 1 and 2 had it: the fold of a session "ormat" took that key.
inline constexpr char kOldFormatKey[] = "format";
// How many commits there were, as a Number: written with each.
inline constexpr char kCommitsKey[] = "COMMITS";

// 8 bytes, the highest first.
std::string Number(uint64_t number);
uint64_t ReadNumber(std::string_view bytes);

std::string EventKey(const std::string& session_id, uint64_t sequence);
std::string SessionKey(const std::string& session_id);
std::string FoldKey(const std::string& session_id);
std::string DeadlineKey(const Deadline& deadline);
absl::StatusOr<Deadline> ReadDeadline(std::string_view key);

EventRecord RecordOf(const StoredEvent& event);
SessionRecord RecordOf(const std::string& session_id, const StoredSession& session);
FoldRecord RecordOf(const FoldState& fold);

// The record as it is stored under the key.
std::string Seal(const std::string& key, const google::protobuf::MessageLite& record);

// DATA_LOSS if what is stored is damaged.
absl::StatusOr<StoredEventPtr> ReadEvent(std::string_view key, std::string_view value);
// Without its fold.
absl::StatusOr<StoredSession> ReadSession(std::string_view key, std::string_view value);
absl::StatusOr<FoldState> ReadFold(std::string_view key, std::string_view value);

}  // namespace sessioncast::control
