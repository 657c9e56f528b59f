// `get` and `list`.
#include <iostream>
#include <memory>

#include "CLI/CLI.hpp"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"

namespace sessioncast::tool {
namespace {

ExitCode Get(const Target& target, const std::string& session_id) {
  Client client(OptionsFor(target));
  const auto snapshot = client.GetSession(session_id);
  if (!snapshot.ok()) return Fail(snapshot.status(), target);
  if (target.output == Output::kJson) {
    std::cout << ToJson(*snapshot) << std::endl;
    return kDone;
  }
  std::cout << snapshot->session_id() << "  " << StatusWord(snapshot->status()) << "  at "
            << snapshot->position().sequence() << " of epoch " << snapshot->position().epoch()
            << "\n  since " << TimeText(snapshot->create_time()) << ", last event "
            << TimeText(snapshot->update_time()) << "\n";
  for (const v1::Event& event : snapshot->events()) std::cout << "  " << ToLine(event) << "\n";
  return kDone;
}

ExitCode List(const Target& target) {
  Client client(OptionsFor(target));
  if (target.output == Output::kText) {
    std::cout << "SESSION                               STATUS      EVENTS      LAST EVENT (UTC)\n";
  }
  std::string token;
  do {
    const auto page = client.ListSessions(1'000, token);
    if (!page.ok()) return Fail(page.status(), target);
    for (const v1::SessionSummary& session : page->sessions()) {
      if (target.output == Output::kJson) {
        std::cout << ToJson(session) << "\n";
        continue;
      }
      std::cout.width(36);
      std::cout << std::left << session.session_id() << "  ";
      std::cout.width(10);
      std::cout << std::left << StatusWord(session.status()) << "  ";
      std::cout.width(10);
      std::cout << std::left << session.position().sequence() << "  "
                << TimeText(session.update_time()) << "\n";
    }
    token = page->next_page_token();
  } while (!token.empty());
  std::cout.flush();
  return kDone;
}

}  // namespace

void AddGet(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("get", "Show a session's state");
  const auto target = std::make_shared<Target>();
  const auto session_id = std::make_shared<std::string>();
  AddTargetFlags(*command, *target);
  command->add_option("session", *session_id, "The session's id")->required();
  command->callback([target, session_id, &exit_code] { exit_code = Get(*target, *session_id); });
}

void AddList(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("list", "List the sessions there are");
  const auto target = std::make_shared<Target>();
  AddTargetFlags(*command, *target);
  command->callback([target, &exit_code] { exit_code = List(*target); });
}

}  // namespace sessioncast::tool
