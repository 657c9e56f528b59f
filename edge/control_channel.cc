#include "edge/control_channel.h"

#include "CLI/CLI.hpp"
#include "tools/access/pem.h"

namespace sessioncast::edge {
namespace {

constexpr char kGroup[] = "Edge";
constexpr ChannelLimits kChannelLimits = {.message_bytes_max = 4 * 1024 * 1024,
                                          .reconnect_backoff_ms_max = 1'000};

}  // namespace

void AddControlFlags(CLI::App& app, ControlOptions& options) {
  app.add_option("--control", options.address, "HOST:PORT of sessioncast-control")
      ->envname("SESSIONCAST_CONTROL")
      ->capture_default_str();
  Credentials& credentials = options.credentials;
  app.add_option("--control_ca", credentials.ca_file,
                 "A file with certificates in PEM, one of which has signed control's: TLS")
      ->envname("SESSIONCAST_CONTROL_CA")
      ->group(kGroup);
  app.add_option("--control_cert", credentials.cert_file,
                 "A file with the edge's own certificate, in PEM, for a control that asks for one")
      ->envname("SESSIONCAST_CONTROL_CERT")
      ->group(kGroup);
  app.add_option("--control_key", credentials.key_file, "A file with its private key, in PEM")
      ->envname("SESSIONCAST_CONTROL_KEY")
      ->group(kGroup);
  app.add_option("--control_token_file", credentials.token_file,
                 "A file with the edge's token (verb attach, session '*'), for a control that asks "
                 "for one; it may be replaced at any time, and must be before the token expires")
      ->envname("SESSIONCAST_CONTROL_TOKEN_FILE")
      ->check(CLI::ExistingFile)
      ->group(kGroup);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ControlChannel(const ControlOptions& options) {
  const Credentials& credentials = options.credentials;
  if (absl::Status status =
          access::CheckClientFiles({"control_ca", credentials.ca_file},
                                   {"control_cert", credentials.cert_file},
                                   {"control_key", credentials.key_file});
      !status.ok()) {
    return status;
  }
  return ChannelTo(options.address, credentials, kChannelLimits);
}

}  // namespace sessioncast::edge
