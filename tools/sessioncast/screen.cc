#include "tools/sessioncast/screen.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

// ECMA-48, and xterm's private modes. What a terminal does not know of them it passes over.
constexpr std::string_view kAlternateScreen = "\x1B[?1049h";
constexpr std::string_view kMainScreen = "\x1B[?1049l";
constexpr std::string_view kHideCursor = "\x1B[?25l";
constexpr std::string_view kShowCursor = "\x1B[?25h";
constexpr std::string_view kNoWrap = "\x1B[?7l";
constexpr std::string_view kWrap = "\x1B[?7h";
constexpr std::string_view kClear = "\x1B[0m\x1B[2J\x1B[H";
constexpr std::string_view kPlain = "\x1B[0m";
constexpr std::string_view kEraseRest = "\x1B[K";
// What is between them is shown at once.
constexpr std::string_view kBeginFrame = "\x1B[?2026h";
constexpr std::string_view kEndFrame = "\x1B[?2026l";

std::string_view CodeOf(Style style, const Look& look) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\x1B[1m";
    case Style::kDim:
      return "\x1B[2m";
    case Style::kGood:
      return look.has_colours ? "\x1B[32m" : "";
    case Style::kBusy:
      return look.has_colours ? "\x1B[36m" : "";
    case Style::kBad:
      return look.has_colours ? "\x1B[31m" : "";
    case Style::kAsks:
      return look.has_colours ? "\x1B[1;33m" : "\x1B[1m";
  }
  return "";
}

std::string MoveTo(size_t row) { return absl::StrCat("\x1B[", row + 1, ";1H"); }

}  // namespace

std::string Screen::Begin() {
  std::string bytes;
  return bytes.append(kAlternateScreen).append(kHideCursor).append(kNoWrap).append(kClear);
}

std::string Screen::End() {
  std::string bytes;
  // Cleared before, for terminals that have but one.
  bytes.append(kEndFrame).append(kClear);
  return bytes.append(kWrap).append(kShowCursor).append(kMainScreen);
}

std::string Screen::Show(const std::vector<ViewLine>& lines, ViewSize size) {
  std::string changes;
  if (!is_known_) changes.append(kClear);
  shown_.resize(is_known_ ? shown_.size() : 0);
  is_known_ = true;
  for (size_t row = 0; row < std::max(lines.size(), shown_.size()); ++row) {
    size_t columns = 0;
    std::string bytes;
    if (row < lines.size()) {
      for (const Piece& piece : lines[row]) columns += ColumnsOf(piece.text);
      bytes = BytesOf(lines[row]);
    }
    if (row < shown_.size() ? bytes == shown_[row] : bytes.empty()) continue;
    changes.append(MoveTo(row)).append(bytes);
    // Behind a full line the cursor stands on its last column.
    if (columns < size.columns) changes.append(kEraseRest);
    if (row >= shown_.size()) shown_.resize(row + 1);
    shown_[row] = std::move(bytes);
  }
  if (changes.empty()) return changes;
  std::string frame(kBeginFrame);
  return frame.append(changes).append(kEndFrame);
}

void Screen::Forget() { is_known_ = false; }

std::string Screen::Print(const std::vector<ViewLine>& lines) const {
  std::string bytes;
  for (const ViewLine& line : lines) bytes.append(BytesOf(line)).append("\n");
  return bytes;
}

std::string Screen::BytesOf(const ViewLine& line) const {
  std::string bytes;
  for (const Piece& piece : line) {
    const std::string_view code = CodeOf(piece.style, look_);
    bytes.append(code);
    bytes.append(look_.is_ascii ? AsciiOf(piece.text) : piece.text);
    if (!code.empty()) bytes.append(kPlain);
  }
  return bytes;
}

}  // namespace sessioncast::tool
