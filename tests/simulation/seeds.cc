#include "tests/simulation/seeds.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace sessioncast::test {
namespace {

constexpr uint32_t kProgressEvery = 5'000;
constexpr uint32_t kManyRuns = 1'000;

void Add(const std::vector<Figure>& figures, std::vector<Figure>& all) {
  if (all.empty()) {
    all = figures;
    return;
  }
  for (size_t i = 0; i < all.size(); ++i) all[i].count += figures[i].count;
}

}  // namespace

Seeds::Seeds(CLI::App& app) {
  app.add_option("--seeds", seeds_, "how many runs")->capture_default_str();
  app.add_option("--first", first_, "the seed of the first")->capture_default_str();
}

int Seeds::Run(const std::string& program,
               const std::function<RunOutcome(uint32_t seed)>& run) const {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Figure> all;
  for (uint32_t i = 0; i < seeds_; ++i) {
    const RunOutcome outcome = run(first_ + i);
    Add(outcome.figures, all);
    if (!outcome.violation.empty()) {
      std::printf("seed %u: VIOLATION %s\n(run %u of %u; again: %s --seeds=1 --first=%u)\n",
                  first_ + i, outcome.violation.c_str(), i + 1, seeds_, program.c_str(),
                  first_ + i);
      return EXIT_FAILURE;
    }
    if ((i + 1) % kProgressEvery == 0) {
      std::printf("%u of %u seeds\n", i + 1, seeds_);
      std::fflush(stdout);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%u seeds", seeds_);
  for (const Figure& figure : all) std::printf(", %lu %s", figure.count, figure.words.c_str());
  std::printf(": no violation, %.1f s\n", took.count());
  for (const Figure& figure : all) {
    if (seeds_ < kManyRuns || figure.count >= seeds_ / 10) continue;
    std::printf("INCONCLUSIVE: %s, fewer than %u\n", figure.words.c_str(), seeds_ / 10);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace sessioncast::test
