#include "edge/cursor.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/rules.h"

namespace sessioncast::edge {
namespace {

constexpr char kVersion = '1';
constexpr char kSeparator = ';';
constexpr char kFieldSeparator = '~';
constexpr char kFoldMark = '*';
constexpr std::string_view kNoEpoch = "-";
constexpr size_t kEpochBytes = 8;
constexpr size_t kSequenceDigitsMax = 19;  // of 2^63 - 1
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Up to `separator`, which is removed too; nothing if it is not there.
std::optional<std::string_view> Take(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end + 1);
  return taken;
}

// Decimal, without leading zeros, at most 2^63 - 1.
std::optional<uint64_t> ReadSequence(std::string_view text) {
  if (text.empty() || text.size() > kSequenceDigitsMax) return std::nullopt;
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  int64_t sequence = 0;
  if (!absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &sequence)) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(sequence);
}

bool IsEpoch(std::string_view text) {
  return text == kNoEpoch || (text.size() == kEpochBytes &&
                              text.find_first_not_of(kBase64Url) == std::string_view::npos);
}

std::optional<CursorEntry> ReadEntry(std::string_view text) {
  const std::optional<std::string_view> id = Take(text, kFieldSeparator);
  if (!id || !CheckId("session id", std::string(*id)).ok()) return std::nullopt;
  const std::optional<std::string_view> epoch = Take(text, kFieldSeparator);
  if (!epoch || !IsEpoch(*epoch)) return std::nullopt;
  CursorEntry entry;
  entry.session_id = *id;
  if (!text.empty() && text.back() == kFoldMark) {
    entry.place.kind = Place::Kind::kFold;
    text.remove_suffix(1);
  }
  const std::optional<uint64_t> sequence = ReadSequence(text);
  // Before the first event there is neither a sequence nor a fold.
  const bool is_new = *epoch == kNoEpoch;
  if (!sequence || (is_new && (*sequence > 0 || entry.place.kind == Place::Kind::kFold))) {
    return std::nullopt;
  }
  entry.place.position = {is_new ? std::string() : std::string(*epoch), *sequence};
  return entry;
}

}  // namespace

std::optional<std::vector<CursorEntry>> ReadCursor(std::string_view text) {
  if (text.size() > kCursorBytesMax || text.empty() || text.front() != kVersion) {
    return std::nullopt;
  }
  text.remove_prefix(1);
  std::vector<CursorEntry> entries;
  std::set<std::string> ids;
  while (!text.empty()) {
    if (text.front() != kSeparator || entries.size() == kCursorEntriesMax) return std::nullopt;
    text.remove_prefix(1);
    const std::string_view one = text.substr(0, text.find(kSeparator));
    text.remove_prefix(one.size());
    std::optional<CursorEntry> entry = ReadEntry(one);
    if (!entry || !ids.insert(entry->session_id).second) return std::nullopt;
    entries.push_back(*std::move(entry));
  }
  return entries;
}

std::string EntryText(std::string_view session_id, const Place& place) {
  const Position& position = place.position;
  std::string text;
  text.reserve(EntryBytesMax(session_id));
  text.append(session_id);
  text.push_back(kFieldSeparator);
  text.append(position.epoch.empty() ? kNoEpoch : std::string_view(position.epoch));
  text.push_back(kFieldSeparator);
  absl::StrAppend(&text, position.sequence);
  if (place.kind == Place::Kind::kFold) text.push_back(kFoldMark);
  return text;
}

size_t EntryBytesMax(std::string_view session_id) {
  // ";", the id, "~", the epoch, "~", the sequence, "*"
  return 1 + session_id.size() + 1 + kEpochBytes + 1 + kSequenceDigitsMax + 1;
}

void Cursor::Set(const std::string& session_id, std::string entry) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& s) { return s.session_id == session_id; });
  if (slot == slots_.end()) {
    if (!entry.empty()) slots_.push_back({session_id, std::move(entry)});
  } else if (entry.empty()) {
    slots_.erase(slot);
  } else {
    slot->entry = std::move(entry);
  }
}

std::string Cursor::Text() const {
  std::string text(1, kVersion);
  for (const Slot& slot : slots_) {
    text.push_back(kSeparator);
    text.append(slot.entry);
  }
  return text;
}

}  // namespace sessioncast::edge
