// Tokens: those that are good, and every kind that is not, whoever made it.
#include "tools/access/token.h"

#include <gtest/gtest.h>
#include <jwt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace sessioncast::access {
namespace {

using Json = nlohmann::json;
using Bytes = std::unique_ptr<FILE, decltype(&std::fclose)>;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const std::string kSecret = "a secret of thirty-two bytes, yes";

class TokenTest : public testing::Test {
 protected:
  TokenTest() {
    Write("hs", kSecret + "\n");
    MakePair("rs", EVP_RSA_gen(2'048));
    MakePair("rs_small", EVP_RSA_gen(1'024));
    MakePair("es", EVP_EC_gen("P-256"));
    MakePair("es_other", EVP_EC_gen("P-384"));
  }
  ~TokenTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void MakePair(const std::string& name, EVP_PKEY* made) const {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(made, &EVP_PKEY_free);
    const Bytes private_key(std::fopen(Path(name).c_str(), "w"), &std::fclose);
    PEM_write_PrivateKey(private_key.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const Bytes public_key(std::fopen(Path(name + ".pub").c_str(), "w"), &std::fclose);
    PEM_write_PUBKEY(public_key.get(), key.get());
  }

  TokenVerifierOptions Options() const {
    return {.keys = {{"hs", Algorithm::kHs256, Path("hs")},
                     {"rs", Algorithm::kRs256, Path("rs.pub")},
                     {"es", Algorithm::kEs256, Path("es.pub")}},
            .issuer = "our-issuer",
            .audience = "sessioncast"};
  }
  // A good one, of a key by its kid.
  std::string Good(const std::string& kid) const {
    const Algorithm algorithm = kid == "hs"   ? Algorithm::kHs256
                                : kid == "rs" ? Algorithm::kRs256
                                              : Algorithm::kEs256;
    const absl::StatusOr<std::string> token =
        SignToken({kid, algorithm, Path(kid)},
                  {.claims = {.issuer = "our-issuer",
                              .subject = "somebody",
                              .sessions = {"job-1", "team-*"},
                              .verbs = {"view"},
                              .expiry = kNow + absl::Minutes(5)},
                   .audience = "sessioncast",
                   .issued = kNow});
    EXPECT_TRUE(token.ok()) << token.status();
    return token.value_or("");
  }
  static Json GoodClaims() {
    return {{"sub", "somebody"},
            {"iss", "our-issuer"},
            {"aud", {"other", "sessioncast"}},
            {"exp", absl::ToUnixSeconds(kNow) + 300},
            {"sessions", {"job-1"}},
            {"verbs", {"view"}}};
  }
  // By the library itself, with whatever key.
  static std::string Sign(const Json& header, const Json& claims, jwt_alg_t algorithm,
                          const std::string& key) {
    jwt_t* jwt = nullptr;
    EXPECT_EQ(jwt_new(&jwt), 0);
    EXPECT_EQ(jwt_add_headers_json(jwt, header.dump().c_str()), 0);
    EXPECT_EQ(jwt_add_grants_json(jwt, claims.dump().c_str()), 0);
    EXPECT_EQ(jwt_set_alg(jwt, algorithm, reinterpret_cast<const unsigned char*>(key.data()),
                          static_cast<int>(key.size())),
              0);
    char* encoded = jwt_encode_str(jwt);
    const std::string token = encoded == nullptr ? "" : encoded;
    std::free(encoded);
    jwt_free(jwt);
    EXPECT_FALSE(token.empty());
    return token;
  }
  static std::string SignHs(const Json& claims) {
    return Sign({{"kid", "hs"}}, claims, JWT_ALG_HS256, kSecret);
  }
  std::string Refusal(const std::string& token) const {
    const absl::StatusOr<Claims> claims = verifier_->Verify(token, kNow);
    if (claims.ok()) return "accepted";
    EXPECT_TRUE(absl::IsUnauthenticated(claims.status())) << claims.status();
    return std::string(claims.status().message());
  }
  void Load() {
    absl::StatusOr<std::unique_ptr<TokenVerifier>> verifier = TokenVerifier::Load(Options());
    ASSERT_TRUE(verifier.ok()) << verifier.status();
    verifier_ = *std::move(verifier);
  }

  const std::string directory_ = [] {
    std::string name = testing::TempDir() + "/token_test_XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
  std::unique_ptr<TokenVerifier> verifier_;
};

std::string Base64(const std::string& text) { return absl::WebSafeBase64Escape(text); }

// With this signature.
std::string NotSigned(const std::string& kid, const std::string& signature) {
  const std::string algorithm = kid == "hs" ? "HS256" : kid == "rs" ? "RS256" : "ES256";
  return absl::StrCat(Base64(Json{{"alg", algorithm}, {"kid", kid}}.dump()), ".",
                      Base64(R"({"exp":1800000300,"iss":"our-issuer","aud":"sessioncast"})"), ".",
                      Base64(signature));
}

// The last character of 64 bytes has four bits that say nothing: the same bytes, written otherwise.
std::string OtherForm(std::string token) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  token.back() = kDigits[kDigits.find(token.back()) + 1];
  return token;
}

TEST_F(TokenTest, WhatItSaysIsKnownUnderEachAlgorithm) {
  Load();
  for (const char* kid : {"hs", "rs", "es"}) {
    const absl::StatusOr<Claims> claims = verifier_->Verify(Good(kid), kNow);
    ASSERT_TRUE(claims.ok()) << kid << ": " << claims.status();
    EXPECT_EQ(claims->issuer, "our-issuer");
    EXPECT_EQ(claims->subject, "somebody");
    EXPECT_EQ(claims->expiry, kNow + absl::Minutes(5));
    EXPECT_TRUE(claims->May("view"));
    EXPECT_FALSE(claims->May("answer"));
    for (const char* covered : {"job-1", "team-", "team-7"})
      EXPECT_TRUE(claims->Covers(covered)) << covered;
    for (const char* foreign : {"job-2", "job-10", "job-", "team", "", "*"})
      EXPECT_FALSE(claims->Covers(foreign)) << foreign;
  }
}

TEST_F(TokenTest, WithoutListsItCoversNothingAndMayNothing) {
  Load();
  Json bare = GoodClaims();
  bare.erase("sessions");
  bare.erase("verbs");
  const absl::StatusOr<Claims> claims = verifier_->Verify(SignHs(bare), kNow);
  ASSERT_TRUE(claims.ok()) << claims.status();
  EXPECT_FALSE(claims->Covers("job-1"));
  EXPECT_FALSE(claims->May("view"));
}

TEST_F(TokenTest, ASignatureThatIsNotOfTheKeyIsNone) {
  Load();
  const std::vector<std::string> good = absl::StrSplit(Good("rs"), '.');
  const std::vector<std::string> other = absl::StrSplit(Good("hs"), '.');
  const std::string header_hs = Base64(R"({"alg":"HS256","kid":"rs","typ":"JWT"})");
  const std::string header_none = Base64(R"({"alg":"none","kid":"hs","typ":"JWT"})");
  const Json claims = GoodClaims();
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"other claims", absl::StrCat(good[0], ".", Base64(GoodClaims().dump()), ".", good[2])},
      {"header of another", absl::StrCat(other[0], ".", good[1], ".", good[2])},
      {"cut", Good("rs").substr(0, Good("rs").size() - 4)},
      {"one character on", Good("es") + "A"},
      {"none, and no signature", absl::StrCat(header_none, ".", good[1], ".")},
      {"none, and some signature", absl::StrCat(header_none, ".", good[1], ".", good[2])},
      {"HS256 in the name only", absl::StrCat(header_hs, ".", good[1], ".", good[2])},
      {"the public key taken for a secret",
       Sign({{"kid", "rs"}}, claims, JWT_ALG_HS256, Read("rs.pub"))},
      {"another secret", Sign({{"kid", "hs"}}, claims, JWT_ALG_HS256, kSecret + "!")},
      {"HS512 with the secret", Sign({{"kid", "hs"}}, claims, JWT_ALG_HS512, kSecret)},
      {"RS512 with the key", Sign({{"kid", "rs"}}, claims, JWT_ALG_RS512, Read("rs"))},
      {"another key of its kind", Sign({{"kid", "rs"}}, claims, JWT_ALG_RS256, Read("rs_small"))},
      {"an unknown key", Sign({{"kid", "no"}}, claims, JWT_ALG_HS256, kSecret)},
      {"no key named, and there are three", Sign(Json::object(), claims, JWT_ALG_HS256, kSecret)},
      {"a kid that is no text", Sign({{"kid", 5}}, claims, JWT_ALG_HS256, kSecret)},
      {"crit", Sign({{"kid", "hs"}, {"crit", {"exp"}}}, claims, JWT_ALG_HS256, kSecret)},
      {"ES256, of nothing", NotSigned("es", "")},
      {"ES256, of a byte less", NotSigned("es", std::string(63, 'x'))},
      {"ES256, R and S are 0", NotSigned("es", std::string(64, '\0'))},
      {"ES256, R and S are as large as can be", NotSigned("es", std::string(64, '\xFF'))},
      {"RS256, of nothing", NotSigned("rs", "")},
      {"RS256, of 0", NotSigned("rs", std::string(256, '\0'))},
      {"HS256, of a byte less", NotSigned("hs", std::string(31, '\0'))},
      {"another form of the last character", OtherForm(Good("es"))},
  };
  for (const auto& [what, token] : rows) EXPECT_NE(Refusal(token), "accepted") << what;
  EXPECT_EQ(ERR_peek_error(), 0u) << "TLS on this thread would take it for its own";
}

TEST_F(TokenTest, WhatIsNoTokenIsNone) {
  Load();
  const std::string good = Good("hs");
  const std::vector<std::string> parts = absl::StrSplit(good, '.');
  const std::string deep = Base64(std::string(2'000, '['));
  const std::vector<std::string> rows = {
      "", ".", "..", "...", "a.b.c", good + ".", "." + good, " " + good, good + "\n",
      good + std::string(1, '\0'), parts[0] + "." + parts[1], parts[0] + ".." + parts[2],
      absl::StrCat(deep, ".", parts[1], ".", parts[2]),
      absl::StrCat(Base64("[]"), ".", parts[1], ".", parts[2]),
      absl::StrCat(parts[0], ".", parts[1], ".", parts[2], "="),
      std::string(100'000, 'A')};
  for (const std::string& token : rows) EXPECT_NE(Refusal(token), "accepted") << token.substr(0, 80);
}

TEST_F(TokenTest, ItsLengthIsLimited) {
  Load();
  Json claims = GoodClaims();
  claims["pad"] = "";
  const size_t empty = SignHs(claims).size();
  const auto padded = [&](size_t bytes) {
    claims["pad"] = std::string(bytes, 'x');
    return SignHs(claims);
  };
  size_t pad = (kTokenBytesMax - empty) * 3 / 4;
  while (padded(pad + 1).size() <= kTokenBytesMax) ++pad;
  while (padded(pad).size() > kTokenBytesMax) --pad;
  EXPECT_GE(padded(pad).size(), kTokenBytesMax - 1);  // three bytes are four characters
  EXPECT_EQ(Refusal(padded(pad)), "accepted");
  EXPECT_NE(Refusal(padded(pad + 2)).find("at most 6144"), std::string::npos);
}

TEST_F(TokenTest, ClaimsAreHeldToTimeIssuerAndAudience) {
  Load();
  const int64_t now = absl::ToUnixSeconds(kNow);
  struct Row {
    const char* claim;
    Json value;  // null: it is left out
    const char* refusal;
  };
  const std::vector<Row> rows = {
      {"exp", now + 1, "accepted"},
      {"exp", now + 0.5, "token: has expired"},  // whole seconds
      {"exp", now, "token: has expired"},
      {"exp", now - 1, "token: has expired"},
      {"exp", nullptr, "token: exp: must be a number of seconds"},
      {"exp", std::to_string(now + 300), "token: exp: must be a number of seconds"},
      {"exp", -1, "token: exp: must be a number of seconds"},
      {"exp", 1e300, "token: exp: must be a number of seconds"},
      {"nbf", now, "accepted"},
      {"nbf", now + 1, "token: nbf: is not valid yet"},
      {"nbf", "soon", "token: nbf: is not valid yet"},
      {"iss", nullptr, "token: iss: another issuer"},
      {"iss", "theirs", "token: iss: another issuer"},
      {"iss", {"our-issuer"}, "token: iss: another issuer"},
      {"aud", nullptr, "token: aud: for another audience"},
      {"aud", "sessioncast", "accepted"},
      {"aud", "sessioncast2", "token: aud: for another audience"},
      {"aud", {"a", "b"}, "token: aud: for another audience"},
      {"aud", {"sessioncast", 5}, "token: aud: for another audience"},
      {"sessions", "job-1", "token: sessions: must be a list of strings"},
      {"sessions", {"job-1", 5}, "token: sessions: must be a list of strings"},
      {"verbs", "view", "token: verbs: must be a list of strings"},
      {"verbs", {nullptr}, "token: verbs: must be a list of strings"},
  };
  for (const Row& row : rows) {
    Json claims = GoodClaims();
    if (row.value.is_null()) {
      claims.erase(row.claim);
    } else {
      claims[row.claim] = row.value;
    }
    EXPECT_EQ(Refusal(SignHs(claims)), row.refusal) << row.claim << ": " << row.value.dump();
  }
}

TEST_F(TokenTest, AlongsideOneKeyItNeedsNoKid) {
  TokenVerifierOptions options = Options();
  options.keys.resize(1);
  const auto verifier = TokenVerifier::Load(options);
  ASSERT_TRUE(verifier.ok()) << verifier.status();
  const std::string token = Sign(Json::object(), GoodClaims(), JWT_ALG_HS256, kSecret);
  EXPECT_TRUE((*verifier)->Verify(token, kNow).ok());
}

TEST_F(TokenTest, KeysAreReadAgainAndStayIfTheNewOnesAreOfNoUse) {
  Load();
  const std::string old = Good("hs");
  Write("hs", "short");
  const absl::Status refused = verifier_->Reload();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_NE(refused.message().find("is a secret of 5 bytes, at least 32"), std::string::npos);
  EXPECT_EQ(Refusal(old), "accepted");
  Write("hs", kSecret + " that is another one");
  ASSERT_TRUE(verifier_->Reload().ok());
  EXPECT_NE(Refusal(old), "accepted");
  EXPECT_EQ(Refusal(Good("hs")), "accepted");
}

TEST_F(TokenTest, AKeyThatIsOfNoUseIsRefusedWithItsFile) {
  struct Row {
    Algorithm algorithm;
    const char* file;
    const char* why;
  };
  const std::vector<Row> rows = {
      {Algorithm::kHs256, "missing", "cannot read"},
      {Algorithm::kHs256, "rs.pub", "which HS256 would take for a secret"},
      {Algorithm::kRs256, "rs", "is no public key in PEM"},
      {Algorithm::kRs256, "hs", "is no public key in PEM"},
      {Algorithm::kRs256, "es.pub", "is no RSA key"},
      {Algorithm::kRs256, "rs_small.pub", "has 1024 bits, at least 2048"},
      {Algorithm::kEs256, "rs.pub", "takes curve P-256"},
      {Algorithm::kEs256, "es_other.pub", "takes curve P-256"},
  };
  for (const Row& row : rows) {
    const auto verifier = TokenVerifier::Load({.keys = {{"k", row.algorithm, Path(row.file)}}});
    ASSERT_TRUE(absl::IsInvalidArgument(verifier.status())) << row.file;
    const std::string message(verifier.status().message());
    EXPECT_NE(message.find(row.why), std::string::npos) << message;
    EXPECT_NE(message.find(Path(row.file)), std::string::npos) << message;
  }
  const KeyFile twice{"k", Algorithm::kHs256, Path("hs")};
  EXPECT_FALSE(TokenVerifier::Load({.keys = {twice, twice}}).ok());
  EXPECT_FALSE(TokenVerifier::Load({}).ok());
  EXPECT_FALSE(SignToken({"k", Algorithm::kRs256, Path("rs.pub")}, {}).ok());
}

TEST(KeyFileTest, IsKidAlgorithmAndFile) {
  const absl::StatusOr<KeyFile> key = ParseKeyFile("main:ES256:/a/b:c.pem");
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->kid, "main");
  EXPECT_EQ(key->algorithm, Algorithm::kEs256);
  EXPECT_EQ(key->file, "/a/b:c.pem");
  for (const char* bad : {"", "main", "main:ES256", "main:ES256:", ":ES256:/a", "main:none:/a",
                          "main:es256:/a", "main:RS512:/a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseKeyFile(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace sessioncast::access
