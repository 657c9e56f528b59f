#include "proto/rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace sessioncast {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

constexpr std::array<std::string_view, 13> kUnsafeKeys = {"__proto__",
                                                          "constructor",
                                                          "prototype",
                                                          "hasOwnProperty",
                                                          "isPrototypeOf",
                                                          "toString",
                                                          "propertyIsEnumerable",
                                                          "valueOf",
                                                          "toLocaleString",
                                                          "__defineGetter__",
                                                          "__defineSetter__",
                                                          "__lookupGetter__",
                                                          "__lookupSetter__"};

constexpr std::array<std::string_view, 20> kReservedNames = {
    // The browser contract's own.
    "connected", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "progress",
    "model_result", "clarification", "clarification_response", "completed", "error", "resync",
    "token_expiring", "refresh_token",
    // Socket.IO's.
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"};

// Whatever the locale.
bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.' || c == ':';
}

}  // namespace

absl::Status CheckId(std::string_view field, std::string_view id) {
  if (id.empty() || id.size() > kIdBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(View(field), ": must have 1 to ", kIdBytesMax,
                                                   " characters, has ", id.size()));
  }
  if (!std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return absl::InvalidArgumentError(
        absl::StrCat(View(field), ": may contain only letters, digits and . _ : -"));
  }
  if (id == "." || id == ".." || !IsSafeKey(id)) {
    return absl::InvalidArgumentError(absl::StrCat(View(field), ": '", View(id), "' is reserved"));
  }
  return absl::OkStatus();
}

bool IsSafeKey(std::string_view key) {
  return std::find(kUnsafeKeys.begin(), kUnsafeKeys.end(), key) == kUnsafeKeys.end();
}

absl::Status CheckCustomName(std::string_view field, std::string_view name) {
  if (absl::Status status = CheckId(field, name); !status.ok()) return status;
  if (std::find(kReservedNames.begin(), kReservedNames.end(), name) != kReservedNames.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        View(field), ": '", View(name), "' is a name of the browser contract or of Socket.IO"));
  }
  return absl::OkStatus();
}

}  // namespace sessioncast
