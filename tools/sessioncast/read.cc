// `watch`, `get`, `list`.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "CLI/CLI.hpp"
#include "tools/sessioncast/commands.h"
#include "tools/sessioncast/print.h"

namespace sessioncast::tool {
namespace {

constexpr std::chrono::milliseconds kPauseMin{100};
constexpr std::chrono::milliseconds kPauseMax{2'000};

struct WatchOptions {
  Target target;
  std::string session_id;
  std::string epoch;
  uint64_t after_sequence = 0;
  uint64_t count = 0;
};

void PrintEvent(const v1::Event& event, const Target& target) {
  std::cout << (target.output == Output::kJson ? ToJson(event) : ToLine(event)) << std::endl;
}

// Reads on after the snapshot when the position is not kept any more.
absl::Status StartOver(Client& client, const WatchOptions& options, v1::Position& after) {
  const auto snapshot = client.GetSession(options.session_id);
  if (!snapshot.ok()) return snapshot.status();
  std::cerr << "the events after " << after.sequence()
            << " are not kept any more; the state so far, then what is new:\n";
  for (const v1::Event& event : snapshot->events()) PrintEvent(event, options.target);
  after = snapshot->position();
  return absl::OkStatus();
}

ExitCode Watch(const WatchOptions& options) {
  Client client(OptionsFor(options.target));
  v1::Position after;
  after.set_epoch(options.epoch);
  after.set_sequence(options.after_sequence);
  uint64_t left = options.count;
  auto pause = kPauseMin;
  auto give_up = std::chrono::steady_clock::now() + options.target.retry_for;
  while (true) {
    const absl::Status status =
        client.Stream(options.session_id, after, [&](const v1::Event& event) {
          PrintEvent(event, options.target);
          after = event.position();
          pause = kPauseMin;
          give_up = std::chrono::steady_clock::now() + options.target.retry_for;
          return options.count == 0 || --left > 0;
        });
    if (status.ok()) return kDone;
    if (status.code() == absl::StatusCode::kOutOfRange) {
      if (absl::Status over = StartOver(client, options, after); !over.ok()) {
        return Fail(over, options.target);
      }
      continue;
    }
    if (!IsUnknownOutcome(status) || std::chrono::steady_clock::now() >= give_up) {
      return Fail(status, options.target);
    }
    if (pause == kPauseMin) {
      std::cerr << "control is away; going on after " << after.sequence() << " when it is back\n";
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kPauseMax);
  }
}

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

void AddWatch(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "watch", "Show a session's events, from the first one and on, until it ends");
  const auto options = std::make_shared<WatchOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id")->required();
  command->add_option("--after_sequence", options->after_sequence, "Only events after this one");
  command->add_option("--epoch", options->epoch, "The epoch of --after_sequence");
  command->add_option("--count", options->count, "Stop after so many events; 0: do not");
  command->callback([options, &exit_code] { exit_code = Watch(*options); });
}

void AddGet(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("get", "Show a session's state");
  const auto options = std::make_shared<WatchOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id")->required();
  command->callback(
      [options, &exit_code] { exit_code = Get(options->target, options->session_id); });
}

void AddList(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("list", "List the sessions there are");
  const auto target = std::make_shared<Target>();
  AddTargetFlags(*command, *target);
  command->callback([target, &exit_code] { exit_code = List(*target); });
}

}  // namespace sessioncast::tool
