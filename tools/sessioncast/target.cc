#include <iostream>

#include "CLI/CLI.hpp"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "tools/access/pem.h"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

void AddCredentialFlags(CLI::App& command, Credentials& credentials) {
  command
      .add_option("--ca", credentials.ca_file,
                  "A file with certificates in PEM, one of which has signed control's: TLS")
      ->envname("SESSIONCAST_CA");
  command
      .add_option("--cert", credentials.cert_file,
                  "A file with a certificate of your own, in PEM, for a control that asks for one")
      ->envname("SESSIONCAST_CERT");
  command.add_option("--key", credentials.key_file, "A file with its private key, in PEM")
      ->envname("SESSIONCAST_KEY");
  command
      .add_option("--token_file", credentials.token_file,
                  "A file with a token, as `sessioncast token` prints it")
      ->envname("SESSIONCAST_TOKEN_FILE")
      ->check(CLI::ExistingFile);
  command.parse_complete_callback([&credentials] {
    const absl::Status status =
        access::CheckClientFiles({"ca", credentials.ca_file}, {"cert", credentials.cert_file},
                                 {"key", credentials.key_file});
    if (!status.ok()) throw CLI::ValidationError(std::string(status.message()));
  });
}

}  // namespace

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
          "How long to try again while control is away or has too much to do")
      ->check(CLI::NonNegativeNumber)
      ->default_str(std::to_string(target.retry_for.count()));
  AddCredentialFlags(command, target.credentials);
}

ClientOptions OptionsFor(const Target& target) {
  return {.control = target.control, .credentials = target.credentials};
}

ExitCode Fail(const absl::Status& status, const Target& target) {
  const v1::ErrorDetail detail = DetailOf(status);
  if (target.output == Output::kJson) {
    nlohmann::json body = {{"error", std::string(status.message())},
                           {"code", absl::StatusCodeToString(status.code())}};
    if (detail.has_winner()) body["winner"] = nlohmann::json::parse(ToJson(detail.winner()));
    std::cout << body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  } else {
    std::cerr << "sessioncast: " << Shown(std::string(status.message())) << " ("
              << absl::StatusCodeToString(status.code()) << ")\n";
    if (IsUnknownOutcome(status)) {
      std::cerr << "  is control running at " << target.control
                << "? `sessioncast serve` starts one\n";
    }
  }
  return IsUnknownOutcome(status) ? kUnavailable : kRefused;
}

}  // namespace sessioncast::tool
