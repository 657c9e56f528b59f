// JSON Web Tokens (RFC 7519, signed as in RFC 7515): who somebody is, and what they may do.
//
// Of a token nothing is believed before its signature was checked under a key of ours, and with
// that key's one algorithm, whatever the token says: a public key is never a secret. It must expire.
// Why a token is refused is for our log, not for who sent it.
//
// Threads: TokenVerifier from any; the rest is pure but for reading files.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sessioncast::access {

// A token of more is refused unread.
inline constexpr size_t kTokenBytesMax = 6 * 1024;

enum class Algorithm { kHs256, kRs256, kEs256 };

// What a token says of who has it.
struct Claims {
  std::string issuer;  // "": none
  std::string subject;
  // Ids of sessions, or `prefix*`: all whose id begins so.
  std::vector<std::string> sessions;
  std::vector<std::string> verbs;
  absl::Time expiry;

  bool Covers(std::string_view session_id) const;
  bool May(std::string_view verb) const;
};

// Where a key is: `KID:ALGORITHM:FILE`, as in `main:RS256:/etc/sessioncast/main.pem`. HS256: the
// file is the secret, of 32 bytes or more (one newline at its end is not part of it); RS256, of 2,048
// bits or more, and ES256: a key in PEM, the public one to verify, the private one to sign.
struct KeyFile {
  std::string kid;
  Algorithm algorithm = Algorithm::kHs256;
  std::string file;
};

// INVALID_ARGUMENT says what is wrong with it.
absl::StatusOr<KeyFile> ParseKeyFile(std::string_view text);

struct TokenVerifierOptions {
  std::vector<KeyFile> keys;
  // What `iss` must be, and what `aud` must be or have. Empty: anything.
  std::string issuer = {};
  std::string audience = {};
};

class TokenVerifier {
 public:
  // INVALID_ARGUMENT names the file, and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<TokenVerifier>> Load(TokenVerifierOptions options);
  ~TokenVerifier();

  // Reads the files again. If one cannot be used, all stays as it was.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);

  // UNAUTHENTICATED: the message is for our log.
  absl::StatusOr<Claims> Verify(std::string_view token, absl::Time now) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Key;
  using Keys = std::vector<Key>;

  explicit TokenVerifier(TokenVerifierOptions options);
  absl::StatusOr<Keys> ReadKeys() const;
  std::shared_ptr<const Keys> keys() const ABSL_LOCKS_EXCLUDED(mutex_);

  const TokenVerifierOptions options_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Keys> keys_ ABSL_GUARDED_BY(mutex_);
};

// The token in the value of an Authorization field (RFC 6750, 2.1); nothing if it is of another kind.
std::optional<std::string_view> BearerToken(std::string_view authorization);

struct TokenToSign {
  Claims claims;
  std::string audience;  // "": none
  absl::Time issued;
};

// INVALID_ARGUMENT if the key cannot be used.
absl::StatusOr<std::string> SignToken(const KeyFile& key, const TokenToSign& token);

}  // namespace sessioncast::access
