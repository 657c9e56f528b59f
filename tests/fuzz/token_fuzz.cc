// A token: one that is accepted was signed by the key that it names, with that key's algorithm, as
// OpenSSL alone says; and what it claims is what its text says.
//
// An input is a token, or '!', the digit of a key, a header and claims with a NUL between, which the
// target signs: so that what is behind the signature is reached too.
#include "tools/access/token.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using access::Algorithm;
using access::Claims;
using Json = nlohmann::json;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using File = std::unique_ptr<FILE, decltype(&std::fclose)>;
using Signature = std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)>;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr size_t kEs256HalfBytes = 32;  // RFC 7518, 3.4
constexpr std::string_view kSecret = "a secret of thirty-two bytes, yes";
constexpr char kIssuer[] = "our-issuer";
constexpr char kAudience[] = "sessioncast";

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// The keys, and files of them for as long as it lives.
class KeyRing {
 public:
  KeyRing() {
    std::ofstream(Path("hs")) << kSecret;
    Write("rs", rs_.get());
    Write("es", es_.get());
    auto loaded = access::TokenVerifier::Load({.keys = {{"hs", Algorithm::kHs256, Path("hs")},
                                                        {"rs", Algorithm::kRs256, Path("rs.pub")},
                                                        {"es", Algorithm::kEs256, Path("es.pub")}},
                                               .issuer = kIssuer,
                                               .audience = kAudience});
    Require(loaded.ok(), "the keys are loaded");
    verifier_ = *std::move(loaded);
  }
  ~KeyRing() { std::filesystem::remove_all(directory_); }

  const access::TokenVerifier& verifier() const { return *verifier_; }

  // As the product signs.
  std::string Signed(const std::string& kid, const Claims& claims) const {
    const Algorithm algorithm = kid == "hs"   ? Algorithm::kHs256
                                : kid == "rs" ? Algorithm::kRs256
                                              : Algorithm::kEs256;
    const absl::StatusOr<std::string> token = access::SignToken(
        {kid, algorithm, Path(kid)},
        {.claims = claims, .audience = kAudience, .issued = kNow});
    Require(token.ok(), "a token is signed");
    return *token;
  }

  // As OpenSSL signs.
  std::string Sign(const std::string& kid, std::string_view text) const {
    if (kid == "hs") return Mac(text);
    const Key& key = kid == "rs" ? rs_ : es_;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    size_t size = 512;
    std::string signature(size, '\0');
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    Require(EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature.data()), &size,
                           Bytes(text), text.size()) == 1,
            "OpenSSL signs");
    signature.resize(size);
    return kid == "rs" ? signature : FromDer(signature);
  }

  // Whether this is the key's signature of the text, as OpenSSL says.
  bool IsSignature(const std::string& kid, std::string_view text, std::string signature) const {
    if (kid == "hs") return signature == Mac(text);
    if (kid == "es") {
      const std::optional<std::string> der = ToDer(signature);
      if (!der) return false;
      signature = *der;
    }
    const Key& key = kid == "rs" ? rs_ : es_;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                            text.size()) == 1;
  }

 private:
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  void Write(const std::string& name, EVP_PKEY* key) const {
    const File private_key(std::fopen(Path(name).c_str(), "w"), &std::fclose);
    PEM_write_PrivateKey(private_key.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    const File public_key(std::fopen(Path(name + ".pub").c_str(), "w"), &std::fclose);
    PEM_write_PUBKEY(public_key.get(), key);
  }

  static std::string Mac(std::string_view text) {
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()), Bytes(text), text.size(),
         mac, &size);
    return std::string(reinterpret_cast<const char*>(mac), size);
  }

  static std::string FromDer(std::string_view der) {
    const uint8_t* at = Bytes(der);
    const Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())),
                              &ECDSA_SIG_free);
    std::string halves(2 * kEs256HalfBytes, '\0');
    auto* out = reinterpret_cast<uint8_t*>(halves.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kEs256HalfBytes);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kEs256HalfBytes, kEs256HalfBytes);
    return halves;
  }

  static std::optional<std::string> ToDer(std::string_view halves) {
    if (halves.size() != 2 * kEs256HalfBytes) return std::nullopt;
    const Signature signature(ECDSA_SIG_new(), &ECDSA_SIG_free);
    ECDSA_SIG_set0(signature.get(), BN_bin2bn(Bytes(halves), kEs256HalfBytes, nullptr),
                   BN_bin2bn(Bytes(halves) + kEs256HalfBytes, kEs256HalfBytes, nullptr));
    uint8_t* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    std::string text(reinterpret_cast<const char*>(der), size);
    OPENSSL_free(der);
    return text;
  }

  const std::string directory_ = [] {
    std::string name = std::filesystem::temp_directory_path() / "fuzz_token_XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
  const Key rs_{EVP_RSA_gen(2'048), &EVP_PKEY_free};
  const Key es_{EVP_EC_gen("P-256"), &EVP_PKEY_free};
  std::unique_ptr<access::TokenVerifier> verifier_;
};

const KeyRing& Ring() {
  static const KeyRing ring;
  return ring;
}

std::string Base64(std::string_view text) {
  return absl::WebSafeBase64Escape(absl::string_view(text.data(), text.size()));
}

std::optional<std::string> FromBase64(const std::string& text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(text, &bytes)) return std::nullopt;
  return bytes;
}

// Nothing: it is no object.
std::optional<Json> ObjectOf(const std::string& base64) {
  const std::optional<std::string> text = FromBase64(base64);
  if (!text) return std::nullopt;
  Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

void CheckSignature(const std::vector<std::string>& parts) {
  const std::optional<Json> header = ObjectOf(parts[0]);
  Require(header && header->contains("kid") && (*header)["kid"].is_string(), "a key is named");
  const std::string kid = (*header)["kid"];
  Require(kid == "hs" || kid == "rs" || kid == "es", "a key of ours is named");
  const char* algorithm = kid == "hs" ? "HS256" : kid == "rs" ? "RS256" : "ES256";
  Require(header->value("alg", Json()) == algorithm, "the key's own algorithm is named");
  const std::optional<std::string> signature = FromBase64(parts[2]);
  Require(signature && Ring().IsSignature(kid, parts[0] + "." + parts[1], *signature),
          "it was signed by the key that it names");
}

std::vector<std::string> Texts(const Json& claims, const char* name) {
  return claims.contains(name) ? claims[name].get<std::vector<std::string>>()
                               : std::vector<std::string>();
}

void CheckClaims(const std::vector<std::string>& parts, const Claims& accepted) {
  const std::optional<Json> claims = ObjectOf(parts[1]);
  Require(claims.has_value(), "claims are an object");
  const double expiry = claims->at("exp").get<double>();
  Require(expiry > static_cast<double>(absl::ToUnixSeconds(kNow)), "it has not expired");
  Require(accepted.expiry == absl::FromUnixSeconds(static_cast<int64_t>(expiry)), "its expiry");
  Require(claims->at("iss") == kIssuer, "it is of the issuer");
  const Json& audience = claims->at("aud");
  Require(audience == kAudience ||
              (audience.is_array() &&
               std::find(audience.begin(), audience.end(), kAudience) != audience.end()),
          "it is for the audience");
  Require(accepted.sessions == Texts(*claims, "sessions"), "its sessions");
  Require(accepted.verbs == Texts(*claims, "verbs"), "its verbs");
  for (const std::string& session : accepted.sessions) {
    const bool is_pattern = !session.empty() && session.back() == '*';
    Require(accepted.Covers(is_pattern ? session.substr(0, session.size() - 1) : session),
            "a session that it names is covered");
  }
  for (const std::string& verb : accepted.verbs) Require(accepted.May(verb), "a verb of it");
}

// The token of an input.
std::string TokenOf(std::string_view input) {
  if (input.substr(0, 1) != "!" || input.size() < 2) return std::string(input);
  static constexpr const char* kKids[] = {"hs", "rs", "es"};
  const std::string kid = kKids[static_cast<uint8_t>(input[1]) % 3];
  const std::string_view rest = input.substr(2);
  const size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view claims = end < rest.size() ? rest.substr(end + 1) : std::string_view();
  const std::string text = Base64(rest.substr(0, end)) + "." + Base64(claims);
  return text + "." + Base64(Ring().Sign(kid, text));
}

}  // namespace

std::vector<std::string> Seeds() {
  const Claims good = {
      kIssuer, "somebody", {"job-1", "team-*"}, {"view"}, kNow + absl::Minutes(5)};
  std::vector<std::string> seeds = {"", ".", "..", "a.b.c", std::string(7'000, 'A')};
  for (const char* kid : {"hs", "rs", "es"}) {
    const std::string token = Ring().Signed(kid, good);
    Require(Ring().verifier().Verify(token, kNow).ok(), "what is signed is accepted");
    seeds.push_back(token);
    const std::vector<std::string> parts = absl::StrSplit(token, '.');
    seeds.push_back(Base64(R"({"alg":"none","kid":"hs"})") + "." + parts[1] + ".");
    seeds.push_back(Base64(R"({"alg":"HS256","kid":"rs"})") + "." + parts[1] + "." + parts[2]);
  }
  const std::string claims =
      R"({"sub":"a","iss":"our-issuer","aud":["x","sessioncast"],"exp":1800000300,"nbf":1,)"
      R"("sessions":["job-1","t*"],"verbs":["view"]})";
  const std::vector<std::string> headers = {R"(0{"alg":"HS256","kid":"hs"})",
                                            R"(1{"alg":"RS256","kid":"rs","typ":"JWT"})",
                                            R"(2{"alg":"ES256","kid":"es"})",
                                            R"(0{"alg":"HS256","kid":"rs"})",
                                            R"(0{"alg":"HS256"})",
                                            R"(0{"alg":"none","kid":"hs"})",
                                            R"(0{"alg":"HS256","kid":"hs","crit":["exp"]})"};
  for (const std::string& header : headers) {
    seeds.push_back("!" + header + std::string(1, '\0') + claims);
  }
  for (const char* other :
       {"{}", "[]", "{\"exp\":1800000300}", "{\"exp\":1e300,\"iss\":\"our-issuer\"}",
        R"({"iss":"our-issuer","aud":"sessioncast","exp":1800000000.5,"sessions":[1]})"}) {
    seeds.push_back("!" + headers[0] + std::string(1, '\0') + other);
  }
  return seeds;
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  const std::string token = fuzz::TokenOf(fuzz::Text(bytes, size));
  const absl::StatusOr<access::Claims> claims = fuzz::Ring().verifier().Verify(token, fuzz::kNow);
  if (!claims.ok()) {
    fuzz::Require(absl::IsUnauthenticated(claims.status()), "a refusal is UNAUTHENTICATED");
    return 0;
  }
  fuzz::Require(token.size() <= access::kTokenBytesMax, "its length is limited");
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  fuzz::Require(parts.size() == 3, "three parts");
  fuzz::CheckSignature(parts);
  fuzz::CheckClaims(parts, *claims);
  return 0;
}
