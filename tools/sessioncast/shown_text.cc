#include "tools/sessioncast/shown_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace sessioncast::tool {
namespace {

constexpr int32_t kReplacement = 0xFFFD;
constexpr int32_t kPictureOfNul = 0x2400;  // pictures of all of C0 follow
constexpr int32_t kPictureOfDelete = 0x2421;
constexpr int32_t kZeroWidthNonJoiner = 0x200C;
constexpr int32_t kZeroWidthJoiner = 0x200D;
constexpr int kCodePointsMax = 16;  // of a character: marks without end make a line of megabytes
constexpr std::string_view kCut = "…";

// What is shown in a code point's place; nothing: it is left out.
std::optional<int32_t> InPlaceOf(int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CC:
      if (code == '\n' || code == '\r' || code == '\t') return ' ';
      if (code < 0x20) return kPictureOfNul + code;
      return code == 0x7F ? kPictureOfDelete : kReplacement;
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return ' ';
    case UTF8PROC_CATEGORY_CF:
      if (code == kZeroWidthJoiner || code == kZeroWidthNonJoiner) return code;
      return std::nullopt;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CS:
      return kReplacement;
    default:
      return code;
  }
}

// What a person takes for one character.
struct Character {
  std::string bytes;
  size_t columns = 0;
};

class CharacterReader {
 public:
  explicit CharacterReader(std::string_view text) : text_(text) { Take(); }

  // False: there is none.
  bool Next(Character& character) {
    if (!next_) return false;
    character = {};
    int count = 0;
    int32_t state = 0;
    int32_t before = 0;
    do {
      before = *next_;
      if (++count <= kCodePointsMax) Append(before, character);
      Take();
    } while (next_ && !utf8proc_grapheme_break_stateful(before, *next_, &state));
    return true;
  }

 private:
  static void Append(int32_t code, Character& character) {
    std::array<uint8_t, 4> bytes;
    const auto size = utf8proc_encode_char(code, bytes.data());
    character.bytes.append(bytes.begin(), bytes.begin() + size);
    character.columns += static_cast<size_t>(utf8proc_charwidth(code));
  }

  void Take() {
    next_.reset();
    while (!text_.empty() && !next_) {
      int32_t code = 0;
      const auto* bytes = reinterpret_cast<const uint8_t*>(text_.data());
      const auto size = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text_.size()), &code);
      text_.remove_prefix(size > 0 ? static_cast<size_t>(size) : 1);
      next_ = size > 0 ? InPlaceOf(code) : kReplacement;
    }
  }

  std::string_view text_;
  std::optional<int32_t> next_;
};

bool IsWithinCharacter(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// Lines that are filled from the left.
class LineFiller {
 public:
  LineFiller(size_t columns_max, size_t lines_max)
      : columns_max_(columns_max), lines_max_(lines_max) {}

  // False: there is no room left.
  bool Add(const Character& character) {
    const bool is_space = character.bytes == " ";
    while (columns_ + character.columns > columns_max_) {
      if (is_space && !line_.empty()) {
        word_at_ = line_.size();  // it ends the line, and takes no room
        return true;
      }
      if (!Break()) return false;
    }
    if (is_space && line_.empty() && !lines_.empty()) return true;
    line_ += character.bytes;
    columns_ += character.columns;
    if (is_space) word_at_ = line_.size();
    return true;
  }

  std::vector<std::string> Lines() && {
    if (!line_.empty() && lines_.size() < lines_max_) lines_.push_back(std::move(line_));
    return std::move(lines_);
  }

 private:
  // Begins a line, with the word that did not fit.
  bool Break() {
    if (lines_.size() + 1 >= lines_max_ || line_.empty()) return false;
    std::string word;
    if (word_at_ > 0 && word_at_ < line_.size()) {
      word = line_.substr(word_at_);
      line_.resize(word_at_);
    }
    lines_.push_back(std::move(line_));
    line_ = std::move(word);
    columns_ = ColumnsOf(line_);
    word_at_ = 0;
    return true;
  }

  const size_t columns_max_;
  const size_t lines_max_;
  std::vector<std::string> lines_;
  std::string line_;
  size_t columns_ = 0;
  size_t word_at_ = 0;  // where the last word of line_ begins
};

}  // namespace

std::string_view FirstBytes(std::string_view text, size_t bytes_max) {
  size_t size = std::min(text.size(), bytes_max);
  while (size > 0 && size < text.size() && IsWithinCharacter(text[size])) --size;
  return text.substr(0, size);
}

std::string_view LastBytes(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  text.remove_prefix(text.size() - bytes_max);
  while (!text.empty() && IsWithinCharacter(text.front())) text.remove_prefix(1);
  return text;
}

std::string Shown(std::string_view text) {
  std::string shown;
  CharacterReader reader(text);
  for (Character character; reader.Next(character);) shown += character.bytes;
  return shown;
}

std::string ShownBegin(std::string_view text, size_t columns_max) {
  std::string shown;
  size_t bytes_with_cut = 0;  // what fits beside the mark of the cut
  size_t columns = 0;
  CharacterReader reader(text);
  for (Character character; reader.Next(character);) {
    columns += character.columns;
    if (columns > columns_max) {
      shown.resize(bytes_with_cut);
      return columns_max == 0 ? "" : shown.append(kCut);
    }
    shown += character.bytes;
    if (columns < columns_max) bytes_with_cut = shown.size();
  }
  return shown;
}

std::string ShownEnd(std::string_view text, size_t columns_max) {
  const size_t bytes_max = (columns_max + 1) * 4 * kCodePointsMax;
  const std::string_view last = LastBytes(text, bytes_max);
  std::deque<Character> kept;
  size_t columns = 0;
  bool is_cut = last.size() < text.size();
  CharacterReader reader(last);
  for (Character character; reader.Next(character);) {
    columns += character.columns;
    kept.push_back(std::move(character));
    while (columns > columns_max - (is_cut && columns_max > 0 ? 1 : 0)) {
      columns -= kept.front().columns;
      kept.pop_front();
      is_cut = true;
    }
  }
  std::string shown(is_cut && columns_max > 0 ? kCut : "");
  for (const Character& character : kept) shown += character.bytes;
  return shown;
}

std::vector<std::string> ShownLines(std::string_view text, size_t columns_max, size_t lines_max) {
  LineFiller filler(columns_max, lines_max);
  CharacterReader reader(text);
  bool is_cut = false;
  for (Character character; !is_cut && reader.Next(character);) is_cut = !filler.Add(character);
  std::vector<std::string> lines = std::move(filler).Lines();
  if (is_cut && !lines.empty()) {
    std::string& last = lines.back();
    last = ColumnsOf(last) < columns_max ? last.append(kCut) : ShownBegin(last + " ", columns_max);
  }
  return lines;
}

size_t ColumnsOf(std::string_view shown) {
  size_t columns = 0;
  CharacterReader reader(shown);
  for (Character character; reader.Next(character);) columns += character.columns;
  return columns;
}

std::string AsciiOf(std::string_view shown) {
  static constexpr std::pair<std::string_view, std::string_view> kLike[] = {
      {"…", "~"}, {"█", "#"}, {"░", "-"}, {"●", "*"}, {"○", "o"}, {"→", ">"}, {"✓", "+"},
      {"✗", "x"}, {"·", "-"}, {"─", "-"}, {"␛", "^"}};
  std::string ascii;
  CharacterReader reader(shown);
  for (Character character; reader.Next(character);) {
    if (static_cast<uint8_t>(character.bytes.front()) < 0x80) {
      ascii += character.bytes.front();
      continue;
    }
    const auto* like = std::find_if(std::begin(kLike), std::end(kLike), [&](const auto& pair) {
      return pair.first == character.bytes;
    });
    ascii += like != std::end(kLike) ? std::string(like->second)
                                     : std::string(character.columns, '?');
  }
  return ascii;
}

}  // namespace sessioncast::tool
