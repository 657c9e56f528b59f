#include "tools/access/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace sessioncast::access {
namespace {

struct FreeOpenSsl {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename T>
using OpenSslPtr = std::unique_ptr<T, FreeOpenSsl>;

absl::Status Wrong(const NamedFile& named, std::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrCat("--", absl::string_view(named.flag.data(), named.flag.size()), "=", named.file,
                   ": ", absl::string_view(what.data(), what.size())));
}

absl::StatusOr<OpenSslPtr<BIO>> Open(const NamedFile& named) {
  errno = 0;
  OpenSslPtr<BIO> bio(BIO_new_file(named.file.c_str(), "r"));
  if (bio == nullptr) return Wrong(named, absl::StrCat("cannot be read: ", std::strerror(errno)));
  return bio;
}

absl::StatusOr<OpenSslPtr<X509>> FirstCertificate(const NamedFile& named) {
  const absl::StatusOr<OpenSslPtr<BIO>> bio = Open(named);
  if (!bio.ok()) return bio.status();
  OpenSslPtr<X509> certificate(PEM_read_bio_X509(bio->get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return Wrong(named, "has no certificate in PEM");
  return certificate;
}

// In place of a question at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

}  // namespace

absl::Status CheckCertificates(const NamedFile& certificates) {
  return FirstCertificate(certificates).status();
}

absl::Status CheckKeyPair(const NamedFile& certificates, const NamedFile& key) {
  const absl::StatusOr<OpenSslPtr<X509>> certificate = FirstCertificate(certificates);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<OpenSslPtr<BIO>> bio = Open(key);
  if (!bio.ok()) return bio.status();
  const OpenSslPtr<EVP_PKEY> read(
      PEM_read_bio_PrivateKey(bio->get(), nullptr, NoPassphrase, nullptr));
  if (read == nullptr) return Wrong(key, "has no private key in PEM without a passphrase");
  if (X509_check_private_key(certificate->get(), read.get()) != 1) {
    return Wrong(key, absl::StrCat("is not the key of the certificate in ", certificates.file));
  }
  return absl::OkStatus();
}

absl::Status CheckClientFiles(const NamedFile& ca, const NamedFile& certificates,
                              const NamedFile& key) {
  for (const auto& [given, needed] : {std::pair(certificates, ca), std::pair(certificates, key),
                                      std::pair(key, certificates)}) {
    if (!given.file.empty() && needed.file.empty()) {
      return Wrong(given, absl::StrCat("needs --", std::string(needed.flag), " too"));
    }
  }
  if (ca.file.empty()) return absl::OkStatus();
  if (absl::Status status = CheckCertificates(ca); !status.ok()) return status;
  return certificates.file.empty() ? absl::OkStatus() : CheckKeyPair(certificates, key);
}

}  // namespace sessioncast::access
