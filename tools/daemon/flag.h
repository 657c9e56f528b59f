// One flag: its name, its variable SESSIONCAST_NAME, its default and its bounds.
//
// Threads: main, before anything starts.
#pragma once

#include <cctype>
#include <chrono>
#include <cstdint>
#include <string>

#include "CLI/CLI.hpp"

namespace sessioncast::daemon {

inline std::string VariableOf(const std::string& name) {
  std::string variable = "SESSIONCAST_" + name;
  for (char& c : variable) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

template <typename Value>
CLI::Option* AddFlag(CLI::App& app, const std::string& group, const std::string& name, Value& value,
                     const std::string& help) {
  return app.add_option("--" + name, value, help)
      ->envname(VariableOf(name))
      ->capture_default_str()
      ->group(group);
}

inline void AddMillisecondsFlag(CLI::App& app, const std::string& group, const std::string& name,
                                std::chrono::milliseconds& value, const std::string& help,
                                const CLI::Validator& check) {
  app.add_option_function<int64_t>(
         "--" + name, [&value](int64_t count) { value = std::chrono::milliseconds(count); }, help)
      ->check(check)
      ->envname(VariableOf(name))
      ->default_str(std::to_string(value.count()))
      ->group(group);
}

}  // namespace sessioncast::daemon
