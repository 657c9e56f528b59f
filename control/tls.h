// TLS at the gRPC port: who control is, and whose clients it takes.
//
// Threads: any.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sessioncast::control {

// Files in PEM. All may be empty: plaintext. gRPC looks at them once a second, and what changed
// counts for the connections from then on.
struct TlsOptions {
  std::string cert_file;  // control's certificate, and those between it and a root
  std::string key_file;
  // A client must show a certificate that one of these has signed.
  std::string client_ca_file = {};
};

// INVALID_ARGUMENT names the flag and the file.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsOptions& options);

}  // namespace sessioncast::control
