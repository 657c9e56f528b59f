// Whether bytes are text.
//
// Pure; any thread.
#pragma once

#include <string_view>

namespace sessioncast::control {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view bytes);

}  // namespace sessioncast::control
