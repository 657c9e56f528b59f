// What a terminal is sent.
#include "tools/sessioncast/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sessioncast::tool {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr ViewSize kSize = {10, 3};

TEST(ScreenTest, OnlyLinesThatChangedAreSentInOneFrame) {
  Screen screen(Look{});
  EXPECT_EQ(screen.Show({{{"one"}}, {{"two"}}}, kSize),
            "\x1B[?2026h\x1B[0m\x1B[2J\x1B[H\x1B[1;1Hone\x1B[K\x1B[2;1Htwo\x1B[K\x1B[?2026l");
  EXPECT_EQ(screen.Show({{{"one"}}, {{"2"}}}, kSize),
            "\x1B[?2026h\x1B[2;1H2\x1B[K\x1B[?2026l");
  EXPECT_EQ(screen.Show({{{"one"}}, {{"2"}}}, kSize), "");
  EXPECT_EQ(screen.Show({{{"one"}}}, kSize), "\x1B[?2026h\x1B[2;1H\x1B[K\x1B[?2026l");
}

TEST(ScreenTest, AfterItWasDrawnOverAllIsSent) {
  Screen screen(Look{});
  screen.Show({{{"one"}}}, kSize);
  screen.Forget();
  EXPECT_THAT(screen.Show({{{"one"}}}, kSize), AllOf(HasSubstr("\x1B[2J"), HasSubstr("one")));
}

TEST(ScreenTest, NothingIsErasedBehindAFullLine) {
  Screen screen(Look{});
  EXPECT_THAT(screen.Show({{{"0123456789"}}}, kSize), Not(HasSubstr("\x1B[K")));
  EXPECT_THAT(screen.Show({{{"日本日本日"}}}, kSize), Not(HasSubstr("\x1B[K")));
}

TEST(ScreenTest, WithoutColoursNoneIsSent) {
  const std::vector<ViewLine> lines = {
      {{"a", Style::kGood}, {"b", Style::kBad}, {"c", Style::kBusy}, {"d", Style::kDim}}};
  EXPECT_EQ(Screen({.has_colours = true}).Print(lines),
            "\x1B[32ma\x1B[0m\x1B[31mb\x1B[0m\x1B[36mc\x1B[0m\x1B[2md\x1B[0m\n");
  EXPECT_EQ(Screen({.has_colours = false}).Print(lines), "abc\x1B[2md\x1B[0m\n");
}

TEST(ScreenTest, ToATerminalWithoutUtf8OnlyAsciiGoes) {
  Screen screen({.is_ascii = true});
  EXPECT_EQ(screen.Print({{{"█░ ✓ 日 é"}}}), "#- + ?? ?\n");
}

TEST(ScreenTest, EndUndoesWhatBeginDid) {
  for (const char* mode : {"?1049", "?25", "?7"}) {
    const bool is_on_by_default = std::string(mode) != "?1049";
    const std::string on = std::string("\x1B[") + mode + "h";
    const std::string off = std::string("\x1B[") + mode + "l";
    EXPECT_THAT(Screen::Begin(), HasSubstr(is_on_by_default ? off : on));
    EXPECT_THAT(Screen::End(), HasSubstr(is_on_by_default ? on : off));
  }
}

}  // namespace
}  // namespace sessioncast::tool
