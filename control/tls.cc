#include "control/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "tools/access/pem.h"

namespace sessioncast::control {
namespace {

constexpr unsigned kSecondsBetweenLooks = 1;

absl::Status Check(const TlsOptions& options) {
  if (options.cert_file.empty() || options.key_file.empty()) {
    return absl::InvalidArgumentError(
        "--tls_cert and --tls_key: TLS needs both, and --tls_client_ca needs TLS");
  }
  if (absl::Status status = access::CheckKeyPair({"tls_cert", options.cert_file},
                                                 {"tls_key", options.key_file});
      !status.ok()) {
    return status;
  }
  if (options.client_ca_file.empty()) return absl::OkStatus();
  return access::CheckCertificates({"tls_client_ca", options.client_ca_file});
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsOptions& options) {
  if (options.cert_file.empty() && options.key_file.empty() && options.client_ca_file.empty())
    return grpc::InsecureServerCredentials();
  if (absl::Status status = Check(options); !status.ok()) return status;
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          options.key_file, options.cert_file, options.client_ca_file, kSecondsBetweenLooks));
  tls.watch_identity_key_cert_pairs();
  tls.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (!options.client_ca_file.empty()) {
    tls.watch_root_certs();
    tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(tls);
}

}  // namespace sessioncast::control
