// Names that nobody can guess, from the kernel's random numbers.
//
// Any thread.
#pragma once

#include <string>

namespace sessioncast::control {

// 8 characters of A-Z a-z 0-9 - _.
std::string FreshEpoch();

// A UUID of version 4.
std::string FreshUuid();

}  // namespace sessioncast::control
