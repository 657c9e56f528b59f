// What of a list a target has reached, by all inputs of the process: states of a machine, ways in
// which it ended. Printed at the end of a run; a plain test fails when its seeds do not reach all.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sessioncast::fuzz {

class Reached {
 public:
  // Each is one of the list.
  explicit Reached(const std::vector<std::string_view>& all) {
    for (const std::string_view one : all) counts_[std::string(one)] = 0;
  }

  // Something that is not in the list is a find.
  void Add(std::string_view one);
  // The list, with how often; returns those that were not reached.
  std::vector<std::string> Print() const;

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace sessioncast::fuzz
