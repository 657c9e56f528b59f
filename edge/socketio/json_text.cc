#include "edge/socketio/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "edge/engineio/utf8.h"

namespace sessioncast::socketio {
namespace {

using Json = nlohmann::json;

// With the point further right, or so far left, JavaScript writes an exponent.
constexpr int kPointMax = 21;
constexpr int kPointMin = -6;

// `digits` with the decimal point before the `point`th of them.
void AppendPlain(const std::string& digits, int point, std::string& text) {
  const int count = static_cast<int>(digits.size());
  if (point <= 0) {
    text.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else if (point >= count) {
    text.append(digits).append(static_cast<size_t>(point - count), '0');
  } else {
    const size_t whole = static_cast<size_t>(point);
    text.append(digits, 0, whole).append(".").append(digits, whole);
  }
}

void AppendWithExponent(const std::string& digits, int exponent, std::string& text) {
  text.append(digits, 0, 1);
  if (digits.size() > 1) text.append(".").append(digits, 1);
  text.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
}

// ECMAScript's Number::toString.
void AppendNumber(double number, std::string& text) {
  if (!std::isfinite(number)) return void(text.append("null"));
  if (number == 0) return text.push_back('0');  // also the negative one
  if (number < 0) text.push_back('-');
  std::array<char, 32> buffer;
  const std::to_chars_result written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::abs(number),
                    std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<size_t>(written.ptr - buffer.data()));
  const size_t mark = shortest.find('e');
  const int exponent = std::atoi(std::string(shortest.substr(mark + 1)).c_str());
  std::string digits(shortest.substr(0, mark));
  if (digits.size() > 1) digits.erase(1, 1);  // the decimal point
  const int point = exponent + 1;
  if (point > kPointMin && point <= kPointMax) return AppendPlain(digits, point, text);
  AppendWithExponent(digits, exponent, text);
}

std::string Dumped(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool IsEscaped(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void Append(const Json& value, std::string& text) {
  if (value.is_number_float()) return AppendNumber(value.get<double>(), text);
  if (value.is_string()) return AppendQuoted(value.get_ref<const std::string&>(), text);
  if (!value.is_structured()) return void(text.append(Dumped(value)));
  text.push_back(value.is_array() ? '[' : '{');
  for (auto element = value.begin(); element != value.end(); ++element) {
    if (element != value.begin()) text.push_back(',');
    if (value.is_object()) {
      AppendQuoted(element.key(), text);
      text.push_back(':');
    }
    Append(*element, text);
  }
  text.push_back(value.is_array() ? ']' : '}');
}

}  // namespace

// Eight bytes at a time while none of them is: most texts are long and plain.
size_t FindEscaped(std::string_view text, size_t at) {
  constexpr uint64_t kEach = 0x0101010101010101;
  constexpr uint64_t kHighBits = 0x80 * kEach;
  // Has a high bit if a byte of `bytes` is below `limit`, at most 0x80.
  const auto any_below = [](uint64_t bytes, uint64_t limit) {
    return (bytes - limit * kEach) & ~bytes & kHighBits;
  };
  for (uint64_t bytes = 0; text.size() - at >= sizeof(bytes); at += sizeof(bytes)) {
    std::memcpy(&bytes, text.data() + at, sizeof(bytes));
    const uint64_t quotes = bytes ^ ('"' * kEach);
    const uint64_t backslashes = bytes ^ ('\\' * kEach);
    if ((any_below(bytes, 0x20) | any_below(quotes, 1) | any_below(backslashes, 1)) != 0) break;
  }
  while (at < text.size() && !IsEscaped(text[at])) ++at;
  return at;
}

// Most texts are plain, and the library's way is ten times as long.
void AppendQuoted(std::string_view text, std::string& out) {
  if (FindEscaped(text, 0) < text.size() || !engineio::IsUtf8(text)) {
    return void(out.append(Dumped(Json(text))));
  }
  out.push_back('"');
  out.append(text);
  out.push_back('"');
}

std::string JsonText(const Json& value) {
  std::string text;
  Append(value, text);
  return text;
}

}  // namespace sessioncast::socketio
