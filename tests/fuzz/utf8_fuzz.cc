// UTF-8, against a naive reading of the definition: all at once, in pieces, and replaced.
#include <optional>

#include "edge/engineio/utf8.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

uint32_t Bits(char byte, uint32_t mask) { return static_cast<uint8_t>(byte) & mask; }

// Whether this is one character, written in the shortest form.
bool IsCharacter(std::string_view bytes) {
  static constexpr uint32_t kFirstMask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  static constexpr uint32_t kFirstMark[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
  static constexpr uint32_t kLowest[] = {0, 0x0, 0x80, 0x800, 0x10000};
  const size_t size = bytes.size();
  if (size < 1 || size > 4 || Bits(bytes[0], ~kFirstMask[size] & 0xFF) != kFirstMark[size]) {
    return false;
  }
  uint32_t code = Bits(bytes[0], kFirstMask[size]);
  for (const char byte : bytes.substr(1)) {
    if (Bits(byte, 0xC0) != 0x80) return false;
    code = code << 6 | Bits(byte, 0x3F);
  }
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code >= kLowest[size] && code <= 0x10FFFF && !is_surrogate;
}

// Whether a character could begin so. These second bytes stand for all: each range has one of them.
bool BeginsCharacter(std::string_view bytes) {
  for (size_t size = bytes.size() + 1; size <= 4; ++size) {
    for (const char second : {'\x80', '\x90', '\xA0'}) {
      std::string whole(bytes);
      if (whole.size() < 2) whole += second;
      whole.resize(size, '\x80');
      if (IsCharacter(whole)) return true;
    }
  }
  return false;
}

size_t CharacterAt(std::string_view text) {
  for (size_t size = 1; size <= 4 && size <= text.size(); ++size) {
    if (IsCharacter(text.substr(0, size))) return size;
  }
  return 0;
}

// Each maximal part that begins a character, and each other byte, becomes U+FFFD.
std::string NaiveReplacement(std::string_view text) {
  std::string replaced;
  while (!text.empty()) {
    size_t size = CharacterAt(text);
    if (size > 0) {
      replaced.append(text.substr(0, size));
    } else {
      replaced.append(kReplacement);
      size = 1;
      while (size < text.size() && BeginsCharacter(text.substr(0, size + 1))) ++size;
    }
    text.remove_prefix(size);
  }
  return replaced;
}

// True or false, as Add said; nothing: the text may not end here.
std::optional<bool> CheckInPieces(std::string_view text, size_t piece_max) {
  Dice dice(text);
  engineio::Utf8Check check;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, 1 + dice.Roll(piece_max));
    text.remove_prefix(piece.size());
    if (!check.Add(piece)) return false;
  }
  return check.complete() ? std::optional<bool>(true) : std::nullopt;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {"",
          "a",
          "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x9F\xBF\xF4\x8F\xBF\xBF",
          "\x80",
          "\xC0\x80",
          "\xC1\xBF",
          "\xE0\x80\x80",
          "\xED\xA0\x80",
          "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80",
          "\xF5\x80\x80\x80",
          "a\xE2\x82",
          "\xE2\xE2\x82\xAC\xFFz"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  using fuzz::Require;
  const std::string_view text = fuzz::Text(bytes, size);
  const std::string replaced = fuzz::NaiveReplacement(text);
  const bool is_utf8 = replaced == text;
  Require(engineio::IsUtf8(text) == is_utf8, "IsUtf8 says what the naive check says");
  for (const size_t piece_max : {1, 3, 64}) {
    const std::optional<bool> checked = fuzz::CheckInPieces(text, piece_max);
    Require(checked.value_or(false) == is_utf8, "pieces are checked as the whole is");
    if (!checked) Require(!is_utf8, "what may not end here is not whole");
  }
  Require(engineio::ReplaceBadUtf8(text) == replaced, "each bad part is replaced, and only those");
  Require(engineio::IsUtf8(replaced), "what was replaced is UTF-8");
  return 0;
}
