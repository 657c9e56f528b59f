// JSON as JavaScript's JSON.stringify writes it: numbers in the form and with the digits that every
// JavaScript peer uses, what no number is as null. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "nlohmann/json.hpp"

namespace sessioncast::socketio {

// In one line; bytes that are not UTF-8 become U+FFFD.
std::string JsonText(const nlohmann::json& value);
// The same of a text, without making a value of it.
void AppendQuoted(std::string_view text, std::string& out);
// Where the first byte is that JSON escapes, from `at` on; the text's size if there is none.
size_t FindEscaped(std::string_view text, size_t at);

}  // namespace sessioncast::socketio
