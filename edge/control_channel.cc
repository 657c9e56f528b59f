#include "edge/control_channel.h"

#include "CLI/CLI.hpp"
#include "grpcpp/support/channel_arguments.h"
#include "tools/access/pem.h"

namespace sessioncast::edge {
namespace {

constexpr char kGroup[] = "Edge";
constexpr int kControlMessageBytesMax = 4 * 1024 * 1024;

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
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // what an attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // A control that vanished without a reset is noticed, and left, within the two.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(kControlMessageBytesMax);
  return ChannelTo(options.address, credentials, arguments);
}

}  // namespace sessioncast::edge
