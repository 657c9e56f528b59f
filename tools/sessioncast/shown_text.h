// Texts of strangers as a terminal may be given them: one line, in which nothing is obeyed (no
// control character, no escape sequence, nothing that turns the direction of writing), cut by the
// columns that it takes, never within a character.
//
// Pure; any thread. A column has 64 bytes at most, whatever the text is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sessioncast::tool {

// The first, and the last, so many bytes of UTF-8 at most, never within a code point. Not yet
// harmless.
std::string_view FirstBytes(std::string_view text, size_t bytes_max);
std::string_view LastBytes(std::string_view text, size_t bytes_max);

// All of it. Line breaks and tabs are a space, other control characters their picture (␛), what is
// no UTF-8 is �.
std::string Shown(std::string_view text);

// As much of its beginning, or of its end, as the columns hold, with … where it was cut.
std::string ShownBegin(std::string_view text, size_t columns_max);
std::string ShownEnd(std::string_view text, size_t columns_max);

// In so many lines at most, broken between words; the last ends with … where it was cut.
std::vector<std::string> ShownLines(std::string_view text, size_t columns_max, size_t lines_max);

// How many columns a text takes that was shown. What a terminal makes of emoji that are joined may
// be less.
size_t ColumnsOf(std::string_view shown);

// For terminals that know only ASCII: what looks most like it, in as many columns.
std::string AsciiOf(std::string_view shown);

}  // namespace sessioncast::tool
