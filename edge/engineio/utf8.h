// UTF-8, checked as it arrives. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sessioncast::engineio {

// Checks a text that arrives in pieces. After a false from Add the text is bad for good.
class Utf8Check {
 public:
  // False as soon as no continuation can make the text valid.
  bool Add(std::string_view piece);
  // True if the text may end here.
  bool complete() const { return missing_ == 0; }

 private:
  uint8_t missing_ = 0;    // continuation bytes of the character that has begun
  uint8_t lowest_ = 0x80;  // what the next continuation byte may be
  uint8_t highest_ = 0xBF;
};

bool IsUtf8(std::string_view text);

// Each maximal part that is not UTF-8 becomes U+FFFD, as browsers and Node decode.
std::string ReplaceBadUtf8(std::string_view text);

}  // namespace sessioncast::engineio
