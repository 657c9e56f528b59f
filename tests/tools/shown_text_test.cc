// Texts of strangers in a terminal: nothing of them is obeyed, and they are cut where a person would.
#include "tools/sessioncast/shown_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "control/utf8.h"
#include "tests/support/random_text.h"

namespace sessioncast::tool {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Nothing that a terminal obeys: C0, DEL, C1, and what turns the direction.
bool IsHarmless(const std::string& shown) {
  for (const char byte : shown) {
    if (static_cast<uint8_t>(byte) < 0x20 || byte == 0x7F) return false;
  }
  for (const std::string_view obeyed :
       {"\u202A", "\u202B", "\u202C", "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069",
        "\u200E", "\u200F", "\u2028", "\u2029"}) {
    if (shown.find(obeyed) != std::string::npos) return false;
  }
  for (size_t i = 1; i < shown.size(); ++i) {
    if (shown[i - 1] == '\xC2' && static_cast<uint8_t>(shown[i]) < 0xA0) return false;
  }
  return true;
}

TEST(ShownTextTest, ControlCharactersAreSeenAndNotObeyed) {
  EXPECT_EQ(Shown("\x1B]0;owned\x07\x1B[2J"), "␛]0;owned␇␛[2J");
  EXPECT_EQ(Shown("a\nb\tc"), "a b c");
  EXPECT_EQ(Shown("\x7F"), "␡");
  EXPECT_EQ(Shown(std::string("a\0b", 3)), "a␀b");
  EXPECT_EQ(Shown("\u009B31m"), "\uFFFD31m") << "C1's CSI";
  EXPECT_EQ(Shown("a\u202Ecba\u2066"), "acba") << "what turns the direction is left out";
  EXPECT_EQ(Shown("a\u2028b"), "a b");
}

TEST(ShownTextTest, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(Shown("a\xFF" "b"), "a\uFFFDb");
  EXPECT_EQ(Shown("\xE2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(Shown("\x9B" "31m"), "\uFFFD31m");
}

TEST(ShownTextTest, ColumnsAreThoseOfATerminal) {
  EXPECT_EQ(ColumnsOf("abc"), 3u);
  EXPECT_EQ(ColumnsOf("日本"), 4u);
  EXPECT_EQ(ColumnsOf("🙂"), 2u);
  EXPECT_EQ(ColumnsOf("e\u0301"), 1u);
  EXPECT_EQ(ColumnsOf(""), 0u);
}

TEST(ShownTextTest, IsCutBetweenCharacters) {
  EXPECT_EQ(ShownBegin("hello", 5), "hello");
  EXPECT_EQ(ShownBegin("hello", 4), "hel…");
  EXPECT_EQ(ShownBegin("hello", 1), "…");
  EXPECT_EQ(ShownBegin("hello", 0), "");
  EXPECT_EQ(ShownBegin("日本語", 5), "日本…");
  EXPECT_EQ(ShownBegin("日本語", 4), "日…") << "half a character is none";
  EXPECT_EQ(ShownBegin("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  EXPECT_EQ(ShownBegin("👩‍💻👩‍💻", 7), "👩‍💻…");
  EXPECT_EQ(ShownBegin("🇩🇪🇫🇷", 3), "🇩🇪…") << "a flag is not cut in two";
}

TEST(ShownTextTest, TheEndIsCutBetweenCharacters) {
  EXPECT_EQ(ShownEnd("hello", 5), "hello");
  EXPECT_EQ(ShownEnd("hello", 4), "…llo");
  EXPECT_EQ(ShownEnd("hello", 1), "…");
  EXPECT_EQ(ShownEnd("hello", 0), "");
  EXPECT_EQ(ShownEnd("日本語", 4), "…語");
  EXPECT_EQ(ShownEnd("xe\u0301e\u0301", 2), "…e\u0301");
  EXPECT_EQ(ShownEnd(std::string(1'000'000, 'a') + "日本", 5), "…日本");
}

TEST(ShownTextTest, LinesAreBrokenBetweenWords) {
  EXPECT_THAT(ShownLines("one two three", 8, 3), ElementsAre("one two ", "three"));
  EXPECT_THAT(ShownLines("one two three four", 8, 2), ElementsAre("one two ", "three f…"));
  EXPECT_THAT(ShownLines("one two three", 7, 3), ElementsAre("one two", "three"));
  EXPECT_THAT(ShownLines("one two   ", 7, 1), ElementsAre("one two"));
  EXPECT_THAT(ShownLines("abcdefgh", 3, 2), ElementsAre("abc", "de…"));
  EXPECT_THAT(ShownLines("日本語", 3, 9), ElementsAre("日", "本", "語"));
  EXPECT_THAT(ShownLines("", 8, 2), IsEmpty());
  EXPECT_THAT(ShownLines("日", 1, 2), IsEmpty()) << "no room for a single one";
}

TEST(ShownTextTest, MarksWithoutEndAreOfOneColumnAndFewBytes) {
  std::string text = "a";
  for (int i = 0; i < 100'000; ++i) text += "\u0301";
  EXPECT_LE(ShownBegin(text, 10).size(), 64u);
  EXPECT_LE(ShownEnd(text, 10).size(), 64u * 12);
}

TEST(ShownTextTest, ForAsciiThereIsSomethingLikeItInAsManyColumns) {
  EXPECT_EQ(AsciiOf("█░ 日 e\u0301 é a…"), "#- ?? e ? a~");
}

TEST(ShownTextTest, WhateverComesIsHarmlessAndFits) {
  tests::Random random(20261128);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = round % 2 == 0
                                 ? tests::RandomText(random, tests::Below(random, 200))
                                 : tests::RandomBytes(random, tests::Below(random, 200));
    const size_t columns = tests::Below(random, 40);
    std::vector<std::string> all = ShownLines(text, columns, 3);
    ASSERT_LE(all.size(), 3u);
    all.push_back(ShownBegin(text, columns));
    all.push_back(ShownEnd(text, columns));
    for (const std::string& shown : all) {
      ASSERT_LE(ColumnsOf(shown), columns);
      ASSERT_LE(shown.size(), 64 * (columns + 1));
    }
    all.push_back(Shown(text));
    for (const std::string& shown : all) {
      ASSERT_TRUE(IsHarmless(shown)) << shown;
      ASSERT_TRUE(control::IsUtf8(shown));
      ASSERT_EQ(Shown(shown), shown);
      ASSERT_LE(AsciiOf(shown).size(), ColumnsOf(shown) + 1);
    }
  }
}

}  // namespace
}  // namespace sessioncast::tool
