// simulation [--seeds=N] [--first=S]: many runs; prints the first seed whose run breaks a rule.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "CLI/CLI.hpp"
#include "spdlog/spdlog.h"
#include "tests/simulation/simulation.h"

namespace {

constexpr uint32_t kProgressEvery = 5'000;
// So many runs prove nothing if they do not meet this in one run of ten, at least.
constexpr uint32_t kManyRuns = 1'000;

}  // namespace

int main(int argc, char** argv) {
  uint32_t seeds = 1'000;
  uint32_t first = 1;
  CLI::App app("Runs the broker under a seeded scheduler and holds it to a naive model.");
  app.add_option("--seeds", seeds, "how many runs")->capture_default_str();
  app.add_option("--first", first, "the seed of the first")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);

  const auto begin = std::chrono::steady_clock::now();
  sessioncast::test::RunOutcome all;
  for (uint32_t i = 0; i < seeds; ++i) {
    const sessioncast::test::RunOutcome run = sessioncast::test::Simulate(first + i);
    all.steps += run.steps;
    all.acked += run.acked;
    all.unknown += run.unknown;
    all.seen += run.seen;
    all.crashes += run.crashes;
    all.store_failures += run.store_failures;
    if (!run.violation.empty()) {
      std::printf("seed %u: VIOLATION %s\n(run %u of %u; again: simulation --seeds=1 --first=%u)\n",
                  first + i, run.violation.c_str(), i + 1, seeds, first + i);
      return EXIT_FAILURE;
    }
    if ((i + 1) % kProgressEvery == 0) {
      std::printf("%u of %u seeds\n", i + 1, seeds);
      std::fflush(stdout);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "%u seeds, %lu steps, %lu acknowledged, %lu unknown, %lu events read, %lu crashes, "
      "%lu failures of the store: no violation, %.1f s\n",
      seeds, all.steps, all.acked, all.unknown, all.seen, all.crashes, all.store_failures,
      took.count());
  const uint64_t least = seeds < kManyRuns ? 0 : seeds / 10;
  for (const uint64_t met : {all.acked, all.unknown, all.seen, all.crashes, all.store_failures}) {
    if (met >= least) continue;
    std::printf("INCONCLUSIVE: one of these is below %lu\n", least);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
