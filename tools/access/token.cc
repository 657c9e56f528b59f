#include "tools/access/token.h"

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace sessioncast::access {
namespace {

using Json = nlohmann::json;

constexpr size_t kSecretBytesMin = 32;  // RFC 7518, 3.2
constexpr int kRsaBitsMin = 2'048;      // RFC 7518, 3.3
constexpr int kDepthMax = 3;
constexpr int64_t kSecondsMax = int64_t{1} << 53;
constexpr size_t kEs256NumberBytes = 32;  // RFC 7518, 3.4: R and S, one after the other

struct AlgorithmName {
  Algorithm algorithm;
  const char* name;
  jwt_alg_t of_library;
};
constexpr std::array<AlgorithmName, 3> kAlgorithms = {{
    {Algorithm::kHs256, "HS256", JWT_ALG_HS256},
    {Algorithm::kRs256, "RS256", JWT_ALG_RS256},
    {Algorithm::kEs256, "ES256", JWT_ALG_ES256},
}};

const AlgorithmName& NameOf(Algorithm algorithm) {
  return *std::find_if(kAlgorithms.begin(), kAlgorithms.end(), [&](const AlgorithmName& known) {
    return known.algorithm == algorithm;
  });
}

absl::Status Refused(std::string_view why) {
  return absl::UnauthenticatedError(
      absl::StrCat("token: ", absl::string_view(why.data(), why.size())));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::InvalidArgumentError(absl::StrCat("key: cannot read ", path));
  return text.str();
}

// OpenSSL keeps a thread's errors until somebody looks, and whoever does TLS on this thread would
// take ours for its own: while one of these lives they are kept apart.
class ErrorsOfOurOwn {
 public:
  ErrorsOfOurOwn() { ERR_set_mark(); }
  ~ErrorsOfOurOwn() { ERR_pop_to_mark(); }
  ErrorsOfOurOwn(const ErrorsOfOurOwn&) = delete;
  ErrorsOfOurOwn& operator=(const ErrorsOfOurOwn&) = delete;
};

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};
struct FreeSignature {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
struct FreeJwt {
  void operator()(jwt_t* jwt) const { jwt_free(jwt); }
};
using JwtPtr = std::unique_ptr<jwt_t, FreeJwt>;

bool IsP256(const EVP_PKEY* key) {
  std::array<char, 64> group{};
  size_t length = 0;
  return EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) == 1 &&
         std::string_view(group.data(), length) == "prime256v1";
}

enum class KeyUse { kVerify, kSign };

using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

// Null if it is none.
KeyPtr ReadPem(const std::string& text, KeyUse use) {
  const ErrorsOfOurOwn errors;
  const std::unique_ptr<BIO, FreeBio> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  return KeyPtr(use == KeyUse::kVerify
                    ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr)
                    : PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

absl::Status CheckPem(const KeyPtr& key, Algorithm algorithm, KeyUse use) {
  if (key == nullptr) {
    return absl::InvalidArgumentError(use == KeyUse::kVerify
                                          ? "is no public key in PEM (BEGIN PUBLIC KEY)"
                                          : "is no private key in PEM without a passphrase");
  }
  if (algorithm == Algorithm::kEs256) {
    if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC && IsP256(key.get()))
      return absl::OkStatus();
    return absl::InvalidArgumentError("is no key for ES256, which takes curve P-256");
  }
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
    return absl::InvalidArgumentError("is no RSA key");
  if (EVP_PKEY_get_bits(key.get()) >= kRsaBitsMin) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("has ", EVP_PKEY_get_bits(key.get()), " bits, at least ", kRsaBitsMin));
}

// The key's text, which is a key of its algorithm.
absl::StatusOr<std::string> ReadKey(const KeyFile& key, KeyUse use) {
  absl::StatusOr<std::string> text = ReadFile(key.file);
  if (!text.ok()) return text.status();
  absl::Status usable;
  if (key.algorithm == Algorithm::kHs256) {
    if (!text->empty() && text->back() == '\n') text->pop_back();
    if (text->size() < kSecretBytesMin) {
      usable = absl::InvalidArgumentError(
          absl::StrCat("is a secret of ", text->size(), " bytes, at least ", kSecretBytesMin));
    } else if (text->find("-----BEGIN") != std::string::npos) {
      usable = absl::InvalidArgumentError("is a key in PEM, which HS256 would take for a secret");
    }
  } else {
    usable = CheckPem(ReadPem(*text, use), key.algorithm, use);
  }
  if (usable.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("key ", key.kid, ": ", key.file, " ", std::string(usable.message())));
}

// A part of a token: an object that is not deep; nothing otherwise.
std::optional<Json> ReadPart(const std::string& part) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(part, &text)) return std::nullopt;
  bool deep = false;
  const Json json = Json::parse(
      text,
      [&deep](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > kDepthMax;
        return !deep;
      },
      false);
  if (deep || !json.is_object()) return std::nullopt;
  return json;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsHmacOf(const std::string& secret, std::string_view text, std::string_view signature) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> made;
  const bool is_made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                            Bytes(text), text.size(), made.data(), nullptr) != nullptr;
  return is_made && signature.size() == made.size() &&
         CRYPTO_memcmp(signature.data(), made.data(), made.size()) == 0;
}

// R and S as OpenSSL takes them; empty if they are none.
std::string ToDer(std::string_view signature) {
  if (signature.size() != 2 * kEs256NumberBytes) return {};
  const std::unique_ptr<ECDSA_SIG, FreeSignature> pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(Bytes(signature), kEs256NumberBytes, nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(signature.substr(kEs256NumberBytes)), kEs256NumberBytes, nullptr);
  ECDSA_SIG_set0(pair.get(), r, s);
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(pair.get(), &der);
  std::string text(reinterpret_cast<const char*>(der), std::max(length, 0));
  OPENSSL_free(der);
  return text;
}

bool IsSignatureOf(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const ErrorsOfOurOwn errors;
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(digest.get(), Bytes(signature), signature.size(), Bytes(text),
                          text.size()) == 1;
}

bool IsBase64Url(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; }

// Seconds since 1970.
std::optional<absl::Time> ToTime(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds <= static_cast<double>(kSecondsMax))) return std::nullopt;
  return absl::FromUnixSeconds(static_cast<int64_t>(seconds));
}

std::optional<std::string> ToText(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// Nothing: it is there, and not a list of texts.
std::optional<std::vector<std::string>> ToTexts(const Json& claims, const char* name) {
  std::vector<std::string> texts;
  const auto found = claims.find(name);
  if (found == claims.end()) return texts;
  if (!found->is_array()) return std::nullopt;
  for (const Json& text : *found) {
    if (!text.is_string()) return std::nullopt;
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

bool IsFor(const std::string& audience, const Json& claims) {
  if (ToText(claims, "aud") == audience) return true;
  const std::optional<std::vector<std::string>> all = ToTexts(claims, "aud");
  return all.has_value() && std::find(all->begin(), all->end(), audience) != all->end();
}

// Of a token whose signature is good.
absl::StatusOr<Claims> JudgeClaims(const Json& json, const TokenVerifierOptions& options,
                                   absl::Time now) {
  const std::optional<absl::Time> expiry = ToTime(json, "exp");
  if (!expiry.has_value()) return Refused("exp: must be a number of seconds");
  if (*expiry <= now) return Refused("has expired");
  const bool has_begin = json.contains("nbf");
  const std::optional<absl::Time> begin = ToTime(json, "nbf");
  if (has_begin && (!begin.has_value() || *begin > now)) return Refused("nbf: is not valid yet");
  if (!options.issuer.empty() && ToText(json, "iss") != options.issuer)
    return Refused("iss: another issuer");
  if (!options.audience.empty() && !IsFor(options.audience, json))
    return Refused("aud: for another audience");
  std::optional<std::vector<std::string>> sessions = ToTexts(json, "sessions");
  if (!sessions.has_value()) return Refused("sessions: must be a list of strings");
  std::optional<std::vector<std::string>> verbs = ToTexts(json, "verbs");
  if (!verbs.has_value()) return Refused("verbs: must be a list of strings");
  return Claims{.issuer = ToText(json, "iss").value_or(""),
                .subject = ToText(json, "sub").value_or(""),
                .sessions = *std::move(sessions),
                .verbs = *std::move(verbs),
                .expiry = *expiry};
}

}  // namespace

// Ready to verify with: to read PEM takes longer than to verify.
struct TokenVerifier::Key {
  std::string kid;
  Algorithm algorithm;
  std::string secret;  // HS256
  KeyPtr public_key;   // the others

  // `text`: the token's header and claims, as they were signed.
  bool HasSigned(std::string_view text, const std::string& base64_signature) const {
    std::string signature;
    // In the one form that it has: what base64 leaves open is not changed unnoticed.
    if (!absl::WebSafeBase64Unescape(base64_signature, &signature) ||
        absl::WebSafeBase64Escape(signature) != base64_signature) {
      return false;
    }
    switch (algorithm) {
      case Algorithm::kHs256:
        return IsHmacOf(secret, text, signature);
      case Algorithm::kRs256:
        return IsSignatureOf(public_key.get(), text, signature);
      case Algorithm::kEs256:
        return IsSignatureOf(public_key.get(), text, ToDer(signature));
    }
    return false;
  }
};

TokenVerifier::TokenVerifier(TokenVerifierOptions options) : options_(std::move(options)) {}
TokenVerifier::~TokenVerifier() = default;

bool Claims::Covers(std::string_view session_id) const {
  return std::any_of(sessions.begin(), sessions.end(), [session_id](std::string_view covered) {
    if (covered.empty() || covered.back() != '*') return covered == session_id;
    covered.remove_suffix(1);
    return session_id.substr(0, covered.size()) == covered;
  });
}

bool Claims::May(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

absl::StatusOr<KeyFile> ParseKeyFile(std::string_view text) {
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(text.data(), text.size()), absl::MaxSplits(':', 2));
  if (parts.size() != 3 || parts[0].empty() || parts[2].empty())
    return absl::InvalidArgumentError("key: must be KID:ALGORITHM:FILE");
  for (const AlgorithmName& known : kAlgorithms) {
    if (parts[1] == known.name) return KeyFile{parts[0], known.algorithm, parts[2]};
  }
  return absl::InvalidArgumentError("key: ALGORITHM must be HS256, RS256 or ES256");
}

absl::StatusOr<std::unique_ptr<TokenVerifier>> TokenVerifier::Load(TokenVerifierOptions options) {
  std::unique_ptr<TokenVerifier> verifier(new TokenVerifier(std::move(options)));
  if (absl::Status loaded = verifier->Reload(); !loaded.ok()) return loaded;
  return verifier;
}

absl::StatusOr<TokenVerifier::Keys> TokenVerifier::ReadKeys() const {
  Keys keys;
  for (const KeyFile& key : options_.keys) {
    absl::StatusOr<std::string> text = ReadKey(key, KeyUse::kVerify);
    if (!text.ok()) return text.status();
    for (const Key& other : keys) {
      if (other.kid == key.kid)
        return absl::InvalidArgumentError(absl::StrCat("key ", key.kid, ": there are two"));
    }
    const bool is_secret = key.algorithm == Algorithm::kHs256;
    KeyPtr public_key = is_secret ? nullptr : ReadPem(*text, KeyUse::kVerify);
    keys.push_back({key.kid, key.algorithm, is_secret ? *std::move(text) : "",
                    std::move(public_key)});
  }
  if (keys.empty()) return absl::InvalidArgumentError("key: there is none");
  return keys;
}

absl::Status TokenVerifier::Reload() {
  absl::StatusOr<Keys> keys = ReadKeys();
  if (!keys.ok()) return keys.status();
  absl::MutexLock lock(&mutex_);
  keys_ = std::make_shared<const Keys>(*std::move(keys));
  return absl::OkStatus();
}

std::shared_ptr<const TokenVerifier::Keys> TokenVerifier::keys() const {
  absl::MutexLock lock(&mutex_);
  return keys_;
}

absl::StatusOr<Claims> TokenVerifier::Verify(std::string_view token, absl::Time now) const {
  if (token.size() > kTokenBytesMax)
    return Refused(absl::StrCat("has ", token.size(), " bytes, at most ", kTokenBytesMax));
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(token.data(), token.size()), '.');
  const bool is_clean = parts.size() == 3 && std::all_of(token.begin(), token.end(), [](char c) {
                          return c == '.' || IsBase64Url(c);
                        });
  if (!is_clean || parts[2].empty()) return Refused("is no signed token");
  const std::optional<Json> header = ReadPart(parts[0]);
  if (!header.has_value()) return Refused("its header cannot be read");
  if (header->contains("crit")) return Refused("crit: nothing of it is known");
  const std::shared_ptr<const Keys> keys = this->keys();
  const std::optional<std::string> kid = ToText(*header, "kid");
  const auto key = std::find_if(keys->begin(), keys->end(), [&](const Key& one) {
    return header->contains("kid") ? kid == one.kid : keys->size() == 1;
  });
  if (key == keys->end()) return Refused("kid: there is no such key");
  if (ToText(*header, "alg") != NameOf(key->algorithm).name)
    return Refused("alg: is not that of the key");
  const size_t signed_bytes = parts[0].size() + 1 + parts[1].size();
  if (!key->HasSigned(token.substr(0, signed_bytes), parts[2]))
    return Refused("its signature is not that of the key");
  const std::optional<Json> claims = ReadPart(parts[1]);
  if (!claims.has_value()) return Refused("its claims cannot be read");
  return JudgeClaims(*claims, options_, now);
}

std::optional<std::string_view> BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!absl::StartsWithIgnoreCase(absl::string_view(authorization.data(), authorization.size()),
                                  absl::string_view(kScheme.data(), kScheme.size()))) {
    return std::nullopt;
  }
  return authorization.substr(kScheme.size());
}

absl::StatusOr<std::string> SignToken(const KeyFile& key, const TokenToSign& token) {
  const absl::StatusOr<std::string> text = ReadKey(key, KeyUse::kSign);
  if (!text.ok()) return text.status();
  Json claims = {{"sub", token.claims.subject},
                 {"sessions", token.claims.sessions},
                 {"verbs", token.claims.verbs},
                 {"iat", absl::ToUnixSeconds(token.issued)},
                 {"exp", absl::ToUnixSeconds(token.claims.expiry)}};
  if (!token.claims.issuer.empty()) claims["iss"] = token.claims.issuer;
  if (!token.audience.empty()) claims["aud"] = token.audience;
  std::string claims_text;
  try {
    claims_text = claims.dump();
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError("token: its claims must be UTF-8");
  }
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return absl::InternalError("token: no memory");
  const JwtPtr jwt(made);
  const int error =
      jwt_add_header(made, "kid", key.kid.c_str()) + jwt_add_grants_json(made, claims_text.c_str()) +
      jwt_set_alg(made, NameOf(key.algorithm).of_library,
                  reinterpret_cast<const unsigned char*>(text->data()),
                  static_cast<int>(text->size()));
  const std::unique_ptr<char, decltype(&std::free)> encoded(
      error == 0 ? jwt_encode_str(made) : nullptr, &std::free);
  if (encoded == nullptr) return absl::InternalError("token: it cannot be signed");
  return std::string(encoded.get());
}

}  // namespace sessioncast::access
