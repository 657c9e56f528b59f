// The version of the programs, which are released together.
#pragma once

#include <string_view>

namespace sessioncast::daemon {

// "0.1.0", by semver.org.
std::string_view Version();

}  // namespace sessioncast::daemon
