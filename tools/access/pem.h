// Files of certificates and keys, looked at before they are handed to gRPC, which says of one that
// it cannot use only that no connection can be made.
//
// Threads: any; they read files.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sessioncast::access {

// A file, and the flag that named it.
struct NamedFile {
  std::string_view flag;
  std::string file;
};

// INVALID_ARGUMENT, naming flag and file, if there is no certificate in PEM in it.
absl::Status CheckCertificates(const NamedFile& certificates);

// The same, and of the key; or if the key is not that of the first certificate.
absl::Status CheckKeyPair(const NamedFile& certificates, const NamedFile& key);

// What a client has for TLS: nothing; or `ca`; or that, and a certificate of its own with its key.
absl::Status CheckClientFiles(const NamedFile& ca, const NamedFile& certificates,
                              const NamedFile& key);

}  // namespace sessioncast::access
