// Many runs of a simulation, one a seed: adds up what they met, and ends with the first whose run
// breaks a rule.
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace sessioncast::test {

struct Figure {
  std::string words;  // "events read"
  uint64_t count = 0;
};

struct RunOutcome {
  // "": all was well.
  std::string violation;
  std::vector<Figure> figures;  // the same ones of every run, in the same order
};

class Seeds {
 public:
  // The flags --seeds and --first.
  explicit Seeds(CLI::App& app);

  // The exit code. Many runs that do not meet each figure once in ten runs prove nothing.
  int Run(const std::string& program, const std::function<RunOutcome(uint32_t seed)>& run) const;

 private:
  uint32_t seeds_ = 1'000;
  uint32_t first_ = 1;
};

}  // namespace sessioncast::test
