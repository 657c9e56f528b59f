// Who is asked for a token: the flags that control, edge and `sessioncast serve` have in common.
//
// Threads: main, before anything starts.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/access/token.h"

namespace CLI {
class App;
}  // namespace CLI

namespace sessioncast::access {

struct Options {
  TokenVerifierOptions tokens;
  bool insecure_listen = false;
};

void AddFlags(CLI::App& app, Options& options);

// Null: no key is named, nobody is asked. INVALID_ARGUMENT names the file that cannot be used.
absl::StatusOr<std::shared_ptr<TokenVerifier>> LoadVerifier(const Options& options);

// INVALID_ARGUMENT, naming `flag`, if HOST:PORT can be reached from other machines.
absl::Status CheckIsLoopback(std::string_view flag, std::string_view address);

}  // namespace sessioncast::access
