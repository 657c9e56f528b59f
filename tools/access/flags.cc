#include "tools/access/flags.h"

#include <arpa/inet.h>

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"

namespace sessioncast::access {
namespace {

constexpr char kGroup[] = "Access";

// Of HOST:PORT, [HOST]:PORT.
std::string HostOf(std::string_view address) {
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return std::string(host);
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option_function<std::vector<std::string>>(
         "--token_key",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             absl::StatusOr<KeyFile> key = ParseKeyFile(text);
             if (!key.ok())
               throw CLI::ValidationError("--token_key", std::string(key.status().message()));
             options.tokens.keys.push_back(*std::move(key));
           }
         },
         "KID:ALGORITHM:FILE, a key that tokens are signed with; comma-separated, or again. From "
         "then on who has none gets nothing. HS256: the file is the secret, RS256 and ES256: the "
         "public key in PEM. SIGHUP reads the files again")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->envname("SESSIONCAST_TOKEN_KEY")
      ->group(kGroup);
  app.add_option("--token_issuer", options.tokens.issuer, "What a token's `iss` must be")
      ->envname("SESSIONCAST_TOKEN_ISSUER")
      ->group(kGroup);
  app.add_option("--token_audience", options.tokens.audience, "What a token's `aud` must have")
      ->envname("SESSIONCAST_TOKEN_AUDIENCE")
      ->group(kGroup);
  app.add_flag("--insecure_listen", options.insecure_listen,
               "Listen where other machines reach it, though nobody is asked who they are")
      ->envname("SESSIONCAST_INSECURE_LISTEN")
      ->group(kGroup);
}

absl::StatusOr<std::shared_ptr<TokenVerifier>> LoadVerifier(const Options& options) {
  if (options.tokens.keys.empty()) return std::shared_ptr<TokenVerifier>();
  absl::StatusOr<std::unique_ptr<TokenVerifier>> verifier = TokenVerifier::Load(options.tokens);
  if (!verifier.ok()) return verifier.status();
  return std::shared_ptr<TokenVerifier>(*std::move(verifier));
}

absl::Status CheckIsLoopback(std::string_view flag, std::string_view address) {
  if (IsLoopback(HostOf(address))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", absl::string_view(flag.data(), flag.size()), "=",
      absl::string_view(address.data(), address.size()),
      ": other machines could reach it, and nobody is asked who they are: set --token_key, or listen "
      "on localhost, or say --insecure_listen"));
}

}  // namespace sessioncast::access
