// The rules that control and edge both check: what an id may be, and how large things may be.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace sessioncast {

inline constexpr size_t kIdBytesMax = 128;
inline constexpr size_t kIdempotencyKeyBytesMax = 128;
inline constexpr size_t kNameBytesMax = 256;  // model_name, provider, run_id
inline constexpr size_t kTextBytesMax =
    16 * 1024;  // question, response, default_response, error message
inline constexpr size_t kEventBytesMax = 256 * 1024;
inline constexpr size_t kResultEventBytesMax = 1024 * 1024;
inline constexpr int kStructDepthMax = 32;

// 1..128 of letters, digits, `. _ : -`; not `.`, `..`, nor a name that JavaScript gives meaning to
// (`__proto__`). The message names `field`: "session_id: ...".
absl::Status CheckId(std::string_view field, std::string_view id);

// Whether `key` may be a key of a payload object: not one that JavaScript gives meaning to.
bool IsSafeKey(std::string_view key);

// Whether `name` may be the name of a Custom event: an id that is not the browser contract's nor
// Socket.IO's.
absl::Status CheckCustomName(std::string_view field, std::string_view name);

}  // namespace sessioncast
