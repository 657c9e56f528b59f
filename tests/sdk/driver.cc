// The C++ SDK as tests/sdk/scenarios.py drives it: what it does is said there. JSON lines.
//
//   sdk_driver publish --control=H:P --session=S --events=N --per_s=R --key_prefix=K
//   sdk_driver read --control=H:P --session=S [--after_epoch=E --after_sequence=N] [--pause_ms=P]
#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "sessioncast/publisher.h"
#include "sessioncast/session_stream.h"

namespace {

using nlohmann::json;
using sessioncast::Publisher;
namespace v1 = sessioncast::v1;

struct Flags {
  std::string control;
  std::string session;
  int events = 0;
  double per_s = 0;
  std::string key_prefix;
  std::string after_epoch;
  uint64_t after_sequence = 0;
  int pause_ms = 0;
};

// The pace of a publisher or a reader is what a scenario is about.
void WaitUntil(std::chrono::steady_clock::time_point time) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  never.wait_until(lock, time, [&] { return std::chrono::steady_clock::now() >= time; });
}

void Print(const json& line) { std::cout << line.dump() << std::endl; }

int Publish(const Flags& flags) {
  Publisher publisher({.control = flags.control});
  auto next = std::chrono::steady_clock::now();
  for (int n = 0; n < flags.events; ++n) {
    v1::Event event;
    event.set_session_id(flags.session);
    event.mutable_custom()->set_name("n");
    (*event.mutable_custom()->mutable_data()->mutable_fields())["n"].set_number_value(n);
    publisher.PublishSoon(
        std::move(event),
        [n](const Publisher::Outcome& outcome) {
          if (!outcome.ok()) {
            return Print({{"n", n},
                          {"error", absl::StatusCodeToString(outcome.status().code())},
                          {"message", outcome.status().message()}});
          }
          Print({{"n", n},
                 {"epoch", outcome->position().epoch()},
                 {"sequence", outcome->position().sequence()},
                 {"duplicate", outcome->duplicate()}});
        },
        flags.key_prefix + "-" + std::to_string(n));
    if (flags.per_s == 0) continue;
    next += std::chrono::microseconds(static_cast<int64_t>(1e6 / flags.per_s));
    WaitUntil(next);
  }
  publisher.Close();
  Print({{"done", true}});
  return 0;
}

json LineOf(const v1::Event& event) {
  json line = {{"epoch", event.position().epoch()}, {"sequence", event.position().sequence()}};
  const auto* field = v1::Event::descriptor()->FindFieldByNumber(event.kind_case());
  line["kind"] = field->name();
  if (event.has_custom() && event.custom().data().fields().contains("n")) {
    line["n"] = static_cast<int64_t>(event.custom().data().fields().at("n").number_value());
  }
  return line;
}

int Read(const Flags& flags) {
  sessioncast::SessionStreamOptions options{.control = flags.control};
  if (flags.after_sequence > 0) {
    options.after.emplace();
    options.after->set_epoch(flags.after_epoch);
    options.after->set_sequence(flags.after_sequence);
  }
  sessioncast::SessionStream stream(flags.session, options);
  while (true) {
    const auto next = stream.Next();
    if (!next.ok()) {
      std::cerr << next.status() << std::endl;
      return 1;
    }
    if (!*next) break;
    if (const auto* event = std::get_if<v1::Event>(&**next)) {
      Print(LineOf(*event));
    } else {
      const v1::Position& position = std::get<sessioncast::Resync>(**next).snapshot.position();
      Print({{"resync", {{"epoch", position.epoch()}, {"sequence", position.sequence()}}}});
    }
    WaitUntil(std::chrono::steady_clock::now() + std::chrono::milliseconds(flags.pause_ms));
  }
  Print({{"end", true}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app;
  app.require_subcommand(1);
  CLI::App& publish = *app.add_subcommand("publish");
  CLI::App& read = *app.add_subcommand("read");
  for (CLI::App* each : {&publish, &read}) {
    each->add_option("--control", flags.control)->required();
    each->add_option("--session", flags.session)->required();
  }
  publish.add_option("--events", flags.events)->required();
  publish.add_option("--per_s", flags.per_s)->required();
  publish.add_option("--key_prefix", flags.key_prefix)->required();
  read.add_option("--after_epoch", flags.after_epoch);
  read.add_option("--after_sequence", flags.after_sequence);
  read.add_option("--pause_ms", flags.pause_ms);
  CLI11_PARSE(app, argc, argv);
  return publish.parsed() ? Publish(flags) : Read(flags);
}
