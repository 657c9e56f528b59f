// simulation_edge [--seeds=N] [--first=S]: many runs; prints the first seed whose run breaks a
// rule.
#include <cstdio>
#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "spdlog/spdlog.h"
#include "tests/simulation/edge/edge_simulation.h"
#include "tests/simulation/seeds.h"

int main(int argc, char** argv) {
  bool traces = false;
  sessioncast::test::EdgeRunOptions options;
  CLI::App app("Runs edges under a seeded scheduler and holds them to a naive log.");
  const sessioncast::test::Seeds seeds(app);
  app.add_flag("--trace", traces, "prints each packet that a client sends and takes");
  const std::map<std::string, sessioncast::edge::BrokenRule> rules(
      std::begin(sessioncast::edge::kBrokenRules), std::end(sessioncast::edge::kBrokenRules));
  app.add_option("--broken_rule", options.broken_rule, "of the edge's failpoints, one")
      ->transform(CLI::CheckedTransformer(rules));
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);
  if (traces) options.trace = stdout;
  return seeds.Run("simulation_edge", [&options](uint32_t seed) {
    return sessioncast::test::SimulateEdge(seed, options);
  });
}
