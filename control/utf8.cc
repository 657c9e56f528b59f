#include "control/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sessioncast::control {
namespace {

// Bytes that follow a lead byte, and the range of the first of them; -1: not a lead byte.
struct Lead {
  int following;
  uint8_t low;
  uint8_t high;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0x80) return {0, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  return {-1, 0, 0};
}

// From `at` on past ASCII, eight bytes at a time.
size_t SkipAscii(std::string_view bytes, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (uint64_t eight = 0; bytes.size() - at >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, bytes.data() + at, sizeof(eight));
    if ((eight & kHighBits) != 0) break;
  }
  return at;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  for (size_t at = SkipAscii(bytes, 0); at < bytes.size(); at = SkipAscii(bytes, at)) {
    Lead lead = LeadOf(static_cast<uint8_t>(bytes[at++]));
    if (lead.following < 0 || bytes.size() - at < static_cast<size_t>(lead.following)) return false;
    for (int i = 0; i < lead.following; ++i) {
      const uint8_t byte = static_cast<uint8_t>(bytes[at++]);
      if (byte < lead.low || byte > lead.high) return false;
      lead.low = 0x80;
      lead.high = 0xBF;
    }
  }
  return true;
}

}  // namespace sessioncast::control
