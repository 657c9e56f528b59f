// The tool's sub-commands. Each Add... puts one on the app; running it fills in `exit_code`.
//
// Threads: main.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "sessioncast/client.h"

namespace CLI {
class App;
}

namespace sessioncast::tool {

// What a run of the tool tells its caller.
enum ExitCode : int {
  kDone = 0,
  kRefused = 1,      // surely not done: invalid, unknown, ended, already answered
  kUsage = 2,        // wrong flags or input
  kUnavailable = 3,  // control is away, or the outcome is unknown: try again
};

enum class Output { kText, kJson };

// What every sub-command that talks to control has.
struct Target {
  std::string control = "localhost:50051";
  Output output = Output::kText;
  std::chrono::milliseconds retry_for{30'000};  // of what may do better (MayTryAgain)
  Credentials credentials;
};

// --control, --json, --retry_for_ms, and the credentials' --ca, --cert, --key, --token_file. A file
// that cannot be used is an error of the flags.
void AddTargetFlags(CLI::App& command, Target& target);

ClientOptions OptionsFor(const Target& target);

// Prints the error for people (standard error) or programs (standard output), and says which exit
// code it is.
ExitCode Fail(const absl::Status& status, const Target& target);

void AddServe(CLI::App& app, int& exit_code);
void AddToken(CLI::App& app, int& exit_code);
void AddPublish(CLI::App& app, int& exit_code);
void AddWatch(CLI::App& app, int& exit_code);
void AddGet(CLI::App& app, int& exit_code);
void AddList(CLI::App& app, int& exit_code);
void AddAsk(CLI::App& app, int& exit_code);
void AddAnswer(CLI::App& app, int& exit_code);
void AddDoctor(CLI::App& app, int& exit_code);

}  // namespace sessioncast::tool
