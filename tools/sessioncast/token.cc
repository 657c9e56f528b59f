// `token`: signs a token, for development and for whoever has no service of their own for it.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "tools/access/token.h"
#include "tools/sessioncast/commands.h"

namespace sessioncast::tool {
namespace {

constexpr int64_t kLifetimeSecondsMax = int64_t{10} * 365 * 24 * 60 * 60;

struct TokenOptions {
  std::string key;
  int64_t lifetime_s = 3'600;
  access::TokenToSign token;
};

absl::StatusOr<std::string> Sign(TokenOptions options) {
  const absl::StatusOr<access::KeyFile> key = access::ParseKeyFile(options.key);
  if (!key.ok()) return key.status();
  options.token.issued = absl::Now();
  options.token.claims.expiry = options.token.issued + absl::Seconds(options.lifetime_s);
  return access::SignToken(*key, options.token);
}

ExitCode Token(const TokenOptions& options) {
  const absl::StatusOr<std::string> token = Sign(options);
  if (!token.ok()) {
    std::cerr << "sessioncast token: " << token.status().message() << "\n";
    return kUsage;
  }
  if (token->size() > access::kTokenBytesMax) {
    std::cerr << "sessioncast token: it has " << token->size() << " bytes, servers take "
              << access::kTokenBytesMax << "; name sessions by a prefix, as in 'team-7-*'\n";
    return kUsage;
  }
  std::cout << *token << "\n";
  return kDone;
}

}  // namespace

void AddToken(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "token", "Sign a token (JWT): who may do what with which sessions, and until when");
  const auto options = std::make_shared<TokenOptions>();
  command
      ->add_option("--key", options->key,
                   "KID:ALGORITHM:FILE; HS256: the file is the secret, RS256 and ES256: the private "
                   "key in PEM")
      ->required();
  command->add_option("--subject", options->token.claims.subject, "Who has it");
  command->add_option("--session", options->token.claims.sessions,
                      "A session's id, or 'prefix*'; may come again");
  command
      ->add_option("--verb", options->token.claims.verbs,
                   "What they may do: view, answer, list (browsers); publish, stream, attach, admin "
                   "(gRPC); may come again")
      ->check(CLI::IsMember({"view", "answer", "list", "publish", "stream", "attach", "admin"}));
  command->add_option("--lifetime_s", options->lifetime_s, "Seconds until it expires")
      ->check(CLI::Range(int64_t{1}, kLifetimeSecondsMax))
      ->capture_default_str();
  command->add_option("--issuer", options->token.claims.issuer, "Claim `iss`");
  command->add_option("--audience", options->token.audience, "Claim `aud`");
  command->callback([options, &exit_code] { exit_code = Token(*options); });
}

}  // namespace sessioncast::tool
