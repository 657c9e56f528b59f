#include "edge/engineio/utf8.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

TEST(Utf8Test, AcceptsWhatIsUtf8HoweverItIsCut) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x9F\xBF\xF4\x8F\xBF\xBF";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Check check;
    EXPECT_TRUE(check.Add(std::string_view(text).substr(0, cut))) << cut;
    EXPECT_TRUE(check.Add(std::string_view(text).substr(cut))) << cut;
    EXPECT_TRUE(check.complete()) << cut;
  }
}

TEST(Utf8Test, RefusesWhatIsNot) {
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3(", "\xFF"}) {
    EXPECT_FALSE(Utf8Check().Add(bad)) << bad;
    EXPECT_FALSE(IsUtf8(bad));
  }
  EXPECT_FALSE(IsUtf8("a\xE2\x82"));
}

TEST(Utf8Test, ReplacesEachBadPartAsBrowsersDo) {
  EXPECT_EQ(ReplaceBadUtf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(ReplaceBadUtf8("\xE2\x82"), "\xEF\xBF\xBD");
  EXPECT_EQ(ReplaceBadUtf8("\xE2\x82z"), "\xEF\xBF\xBDz");
  EXPECT_EQ(ReplaceBadUtf8("\xE2\xE2\x82\xAC"), "\xEF\xBF\xBD\xE2\x82\xAC");
  EXPECT_EQ(ReplaceBadUtf8("\xE2\x82\xAC"), "\xE2\x82\xAC");
}

}  // namespace
}  // namespace sessioncast::engineio
