// How `sessioncast watch` shows a session in a terminal: lines, from what is known of it, a size
// and a time.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/sessioncast/watch_state.h"

namespace sessioncast::tool {

enum class Style { kPlain, kBold, kDim, kGood, kBusy, kBad, kAsks };

struct Piece {
  std::string text;  // shown (shown_text.h)
  Style style = Style::kPlain;
};
using ViewLine = std::vector<Piece>;

struct ViewSize {
  size_t columns = 80;
  size_t rows = 24;
};

// At most so many rows, of at most so many columns. `answer_flags` go behind `sessioncast answer`,
// with a space before each.
std::vector<ViewLine> Draw(const WatchState& state, const std::string& answer_flags, ViewSize size,
                           WatchState::Clock::time_point now);

}  // namespace sessioncast::tool
