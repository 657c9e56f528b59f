#include "tests/fuzz/reached.h"

#include <cstdio>

#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {

void Reached::Add(std::string_view one) {
  const auto found = counts_.find(one);
  Require(found != counts_.end(), "only what is known is reached: " + std::string(one));
  ++found->second;
}

std::vector<std::string> Reached::Print() const {
  std::vector<std::string> missing;
  for (const auto& [name, count] : counts_) {
    std::fprintf(stderr, "reached %12llu  %s\n", static_cast<unsigned long long>(count),
                 name.c_str());
    if (count == 0) missing.push_back(name);
  }
  std::fprintf(stderr, "reached %zu of %zu\n", counts_.size() - missing.size(), counts_.size());
  return missing;
}

}  // namespace sessioncast::fuzz
