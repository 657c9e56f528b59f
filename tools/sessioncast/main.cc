// sessioncast: the tool. `sessioncast serve` is the whole system in one process; the rest talks to
// a running one.
#include "CLI/CLI.hpp"
#include "tools/daemon/lock_checks.h"
#include "tools/daemon/signals.h"
#include "tools/daemon/version.h"
#include "tools/sessioncast/commands.h"

int main(int argc, char** argv) {
  sessioncast::daemon::LeaveOutLockChecks();
  CLI::App app(
      "sessioncast: live events of sessions, from gRPC to Socket.IO\n"
      "Start here:  sessioncast serve");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(sessioncast::daemon::Version()));
  app.set_config("--config", "", "A file of flags, name=value a line");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.footer(
      "Exit codes: 0 done; 1 refused (surely not done); 2 wrong flags or input; "
      "3 control is away or the outcome is unknown (try again)");
  int exit_code = sessioncast::tool::kDone;
  sessioncast::tool::AddServe(app, exit_code);
  sessioncast::tool::AddPublish(app, exit_code);
  sessioncast::tool::AddWatch(app, exit_code);
  sessioncast::tool::AddGet(app, exit_code);
  sessioncast::tool::AddList(app, exit_code);
  sessioncast::tool::AddAsk(app, exit_code);
  sessioncast::tool::AddAnswer(app, exit_code);
  sessioncast::tool::AddToken(app, exit_code);
  sessioncast::tool::AddDoctor(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? sessioncast::tool::kDone : sessioncast::tool::kUsage;
  }
  return exit_code;
}
