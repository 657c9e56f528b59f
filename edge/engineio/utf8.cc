#include "edge/engineio/utf8.h"

#include <cstddef>
#include <cstring>

namespace sessioncast::engineio {
namespace {

// From `at` on past ASCII, eight bytes at a time.
size_t SkipAscii(std::string_view text, size_t at) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (uint64_t eight = 0; text.size() - at >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, text.data() + at, sizeof(eight));
    if ((eight & kHighBits) != 0) break;
  }
  return at;
}

}  // namespace

bool Utf8Check::Add(std::string_view piece) {
  for (size_t i = missing_ > 0 ? 0 : SkipAscii(piece, 0); i < piece.size(); ++i) {
    const auto byte = static_cast<uint8_t>(piece[i]);
    if (missing_ > 0) {
      if (byte < lowest_ || byte > highest_) return false;
      --missing_;
      lowest_ = 0x80;
      highest_ = 0xBF;
      continue;
    }
    if (byte < 0x80) continue;
    if (byte >= 0xC2 && byte <= 0xDF) {
      missing_ = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
      missing_ = 2;
      if (byte == 0xE0) lowest_ = 0xA0;   // shorter forms exist
      if (byte == 0xED) highest_ = 0x9F;  // surrogates
    } else if (byte >= 0xF0 && byte <= 0xF4) {
      missing_ = 3;
      if (byte == 0xF0) lowest_ = 0x90;
      if (byte == 0xF4) highest_ = 0x8F;  // above U+10FFFF
    } else {
      return false;
    }
  }
  return true;
}

bool IsUtf8(std::string_view text) {
  Utf8Check check;
  return check.Add(text) && check.complete();
}

std::string ReplaceBadUtf8(std::string_view text) {
  static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string replaced;
  replaced.reserve(text.size());
  Utf8Check check;
  size_t begin = 0;  // of the character that is being read
  for (size_t i = 0; i < text.size();) {
    if (check.Add(text.substr(i, 1))) {
      ++i;
      if (!check.complete()) continue;
      replaced.append(text.substr(begin, i - begin));
    } else {
      // The byte that broke a character off may itself begin one.
      if (begin == i) ++i;
      replaced.append(kReplacement);
      check = Utf8Check();
    }
    begin = i;
  }
  if (begin < text.size()) replaced.append(kReplacement);
  return replaced;
}

}  // namespace sessioncast::engineio
