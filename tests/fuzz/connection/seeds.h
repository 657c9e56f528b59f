// Programs to begin with: one at least for each state (states.cc). Pure.
#pragma once

#include <string>
#include <vector>

namespace sessioncast::fuzz {

std::vector<std::string> ConnectionSeeds();

}  // namespace sessioncast::fuzz
