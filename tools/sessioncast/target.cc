#include <iostream>

#include "CLI/CLI.hpp"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"

namespace sessioncast::tool {

void AddTargetFlags(CLI::App& command, Target& target) {
  command.add_option("--control", target.control, "HOST:PORT of control")
      ->envname("SESSIONCAST_CONTROL")
      ->capture_default_str();
  command.add_flag_callback(
      "--json", [&target] { target.output = Output::kJson; },
      "One JSON object a line, for programs");
  command
      .add_option_function<int64_t>(
          "--retry_for_ms",
          [&target](int64_t count) { target.retry_for = std::chrono::milliseconds(count); },
          "How long to try again while control is away")
      ->check(CLI::NonNegativeNumber)
      ->default_str(std::to_string(target.retry_for.count()));
}

ExitCode Fail(const absl::Status& status, const Target& target) {
  const v1::ErrorDetail detail = DetailOf(status);
  if (target.output == Output::kJson) {
    nlohmann::json body = {{"error", std::string(status.message())},
                           {"code", absl::StatusCodeToString(status.code())}};
    if (detail.has_winner()) body["winner"] = nlohmann::json::parse(ToJson(detail.winner()));
    std::cout << body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  } else {
    std::cerr << "sessioncast: " << status.message() << " ("
              << absl::StatusCodeToString(status.code()) << ")\n";
    if (IsUnknownOutcome(status)) {
      std::cerr << "  is control running at " << target.control
                << "? `sessioncast serve` starts one\n";
    }
  }
  return IsUnknownOutcome(status) ? kUnavailable : kRefused;
}

}  // namespace sessioncast::tool
