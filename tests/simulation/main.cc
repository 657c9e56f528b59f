// simulation [--seeds=N] [--first=S]: many runs; prints the first seed whose run breaks a rule.
#include "CLI/CLI.hpp"
#include "spdlog/spdlog.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/simulation.h"

int main(int argc, char** argv) {
  CLI::App app("Runs the broker under a seeded scheduler and holds it to a naive model.");
  const sessioncast::test::Seeds seeds(app);
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::off);
  return seeds.Run("simulation", sessioncast::test::Simulate);
}
