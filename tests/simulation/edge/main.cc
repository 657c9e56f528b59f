// simulation_edge [--seeds=N] [--first=S]: many runs; prints the first seed whose run breaks a rule.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "spdlog/spdlog.h"
#include "tests/simulation/edge/edge_simulation.h"

namespace {

constexpr uint32_t kProgressEvery = 5'000;

}  // namespace

int main(int argc, char** argv) {
  uint32_t seeds = 1'000;
  uint32_t first = 1;
  bool traces = false;
  sessioncast::test::EdgeRunOptions options;
  CLI::App app("Runs edges under a seeded scheduler and holds them to a naive log.");
  app.add_option("--seeds", seeds, "how many runs")->capture_default_str();
  app.add_option("--first", first, "the seed of the first")->capture_default_str();
  app.add_flag("--trace", traces, "prints each packet that a client sends and takes");
  const std::map<std::string, sessioncast::edge::BrokenRule> rules(
      std::begin(sessioncast::edge::kBrokenRules), std::end(sessioncast::edge::kBrokenRules));
  app.add_option("--broken_rule", options.broken_rule, "of the edge's failpoints, one")
      ->transform(CLI::CheckedTransformer(rules));
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);
  if (traces) options.trace = stdout;

  const auto begin = std::chrono::steady_clock::now();
  sessioncast::test::EdgeRunOutcome all;
  for (uint32_t i = 0; i < seeds; ++i) {
    const sessioncast::test::EdgeRunOutcome run =
        sessioncast::test::SimulateEdge(first + i, options);
    all.steps += run.steps;
    all.published += run.published;
    all.seen += run.seen;
    all.recovered += run.recovered;
    all.lost_connections += run.lost_connections;
    all.lost_edges += run.lost_edges;
    all.skipped += run.skipped;
    all.overflowed += run.overflowed;
    if (!run.violation.empty()) {
      std::printf(
          "seed %u: VIOLATION %s\n(run %u of %u; again: simulation_edge --seeds=1 --first=%u)\n",
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
      "%u seeds, %lu steps, %lu events published, %lu taken, %lu skipped, %lu queues dropped, "
      "%lu connections lost, %lu recovered, %lu edges killed: no violation, %.1f s\n",
      seeds, all.steps, all.published, all.seen, all.skipped, all.overflowed, all.lost_connections,
      all.recovered, all.lost_edges, took.count());
  return EXIT_SUCCESS;
}
