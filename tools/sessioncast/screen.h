// What a terminal is sent so that it shows lines: only those that changed, with their colours.
//
// Pure; one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "tools/sessioncast/watch_view.h"

namespace sessioncast::tool {

struct Look {
  bool has_colours = true;
  bool is_ascii = false;  // nothing else is sent
};

class Screen {
 public:
  explicit Screen(Look look) : look_(look) {}

  // A screen of its own, without cursor, that cuts what is too long.
  static std::string Begin();
  // Back to what there was.
  static std::string End();

  // From what was shown last to these. Empty: nothing to do.
  std::string Show(const std::vector<ViewLine>& lines, ViewSize size);
  // The terminal shows something else, or has another size: the next Show is the whole.
  void Forget();

  // For a terminal that goes on below them: no cursor is moved.
  std::string Print(const std::vector<ViewLine>& lines) const;

 private:
  std::string BytesOf(const ViewLine& line) const;

  const Look look_;
  bool is_known_ = false;
  std::vector<std::string> shown_;
};

}  // namespace sessioncast::tool
