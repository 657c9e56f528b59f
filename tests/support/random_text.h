// Random texts and bytes for tests; the same from the same generator. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace sessioncast::tests {

using Random = std::mt19937_64;

// 0 .. below - 1.
inline size_t Below(Random& random, size_t below) { return random() % below; }

inline std::string RandomBytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline void AppendUtf8(uint32_t code, std::string& text) {
  if (code < 0x80) {
    text.push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr uint8_t kMarks[] = {0, 0xC0, 0xE0, 0xF0};
  text.push_back(static_cast<char>(kMarks[more] | code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    text.push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3F)));
  }
}

// UTF-8 of all lengths, with control characters, of at most so many bytes.
inline std::string RandomText(Random& random, size_t bytes_max) {
  static constexpr uint32_t kLimits[] = {0x20, 0x80, 0x80, 0x80, 0x800, 0x10000, 0x110000};
  std::string text;
  while (true) {
    uint32_t code = static_cast<uint32_t>(random()) % kLimits[Below(random, 7)];
    if (code >= 0xD800 && code <= 0xDFFF) code = 0x2028;  // no surrogates
    std::string character;
    AppendUtf8(code, character);
    if (text.size() + character.size() > bytes_max) return text;
    text += character;
  }
}

}  // namespace sessioncast::tests
