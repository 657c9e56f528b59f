// The command line flags of a control server; used by sessioncast-control and by `sessioncast
// serve`.
#pragma once

namespace CLI {
class App;
}  // namespace CLI

namespace sessioncast::control {

struct ServerOptions;

// Each flag sets one option, which must outlive the parsing.
void AddFlags(CLI::App& app, ServerOptions& options);

}  // namespace sessioncast::control
