#include "edge/recovery.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cassert>
#include <utility>

#include "absl/strings/escaping.h"

namespace sessioncast::edge {
namespace {

using socketio::Json;

constexpr size_t kRandomBytes = 18;
constexpr size_t kCommitmentBytes = 6;
constexpr size_t kSocketIdBytes = 15;
constexpr std::string_view kPidPurpose = "sessioncast pid";
constexpr std::string_view kSidPurpose = "sessioncast sid";
constexpr std::string_view kBrowserAgent = "Mozilla/";

std::string Digest(std::string_view purpose, std::string_view value, std::string_view subject,
                   size_t bytes) {
  std::string text(purpose);
  text.append(value).append(subject);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return std::string(reinterpret_cast<const char*>(digest.data()), bytes);
}

// A string of the client's auth; "" if it has none.
std::string_view Text(const Json& auth, const char* name) {
  const auto value = auth.find(name);
  if (value == auth.end() || !value->is_string()) return {};
  return value->get_ref<const std::string&>();
}

}  // namespace

std::string FreshPid(std::string_view subject) {
  std::string bytes(kRandomBytes, '\0');
  const int ok = RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), kRandomBytes);
  assert(ok == 1);
  bytes += Digest(kPidPurpose, bytes, subject, kCommitmentBytes);
  return absl::WebSafeBase64Escape(bytes);
}

bool IsPidOf(std::string_view pid, std::string_view subject) {
  std::string bytes;
  // Only the one form that FreshPid writes.
  if (!absl::WebSafeBase64Unescape(absl::string_view(pid.data(), pid.size()), &bytes) ||
      bytes.size() != kRandomBytes + kCommitmentBytes || absl::WebSafeBase64Escape(bytes) != pid) {
    return false;
  }
  const std::string random = bytes.substr(0, kRandomBytes);
  return bytes.substr(kRandomBytes) == Digest(kPidPurpose, random, subject, kCommitmentBytes);
}

std::string SocketIdOf(std::string_view pid, std::string_view subject) {
  return absl::WebSafeBase64Escape(Digest(kSidPurpose, pid, subject, kSocketIdBytes));
}

bool WantsRecovery(const socketio::Handshake& handshake) {
  const auto asked = handshake.auth.find("recovery");
  if (asked != handshake.auth.end() && asked->is_boolean()) return asked->get<bool>();
  if (handshake.auth.contains("pid")) return true;
  return engineio::FindField(handshake.headers, "User-Agent").starts_with(kBrowserAgent);
}

std::optional<Returning> ReadReturning(const Json& auth, std::string_view subject) {
  const std::string_view pid = Text(auth, "pid");
  if (!IsPidOf(pid, subject)) return std::nullopt;
  std::optional<std::vector<CursorEntry>> entries = ReadCursor(Text(auth, "offset"));
  if (!entries || entries->empty()) return std::nullopt;
  return Returning{std::string(pid), *std::move(entries)};
}

}  // namespace sessioncast::edge
