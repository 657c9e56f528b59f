// `watch`: its flags, and lines.
#include "tools/sessioncast/watch.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "CLI/CLI.hpp"
#include "tools/sessioncast/print.h"
#include "tools/sessioncast/shown_text.h"
#include "tools/sessioncast/terminal.h"

namespace sessioncast::tool {
namespace {

class WatchLines : public WatchSink {
 public:
  explicit WatchLines(const WatchOptions& options)
      : output_(options.target.output),
        is_ascii_(isatty(STDOUT_FILENO) == 1 && !Terminal::IsUtf8()),
        sequence_(options.after_sequence) {}

  void OnEvent(const v1::Event& event) override {
    Print(event);
    sequence_ = event.position().sequence();
  }
  void OnResync(const v1::Snapshot& snapshot) override {
    std::cerr << "the events after " << sequence_
              << " are not kept any more; the state so far, then what is new:\n";
    for (const v1::Event& event : snapshot.events()) Print(event);
    sequence_ = snapshot.position().sequence();
  }
  void OnConnection(const absl::Status& connection) override {
    // Once, though it may come and go before there is another event.
    if (connection.ok() || away_said_at_ == sequence_) return;
    away_said_at_ = sequence_;
    std::cerr << "control is away; going on after " << sequence_ << " when it is back\n";
  }

 private:
  void Print(const v1::Event& event) {
    const std::string line = output_ == Output::kJson ? ToJson(event) : ToLine(event);
    std::cout << (is_ascii_ ? AsciiOf(line) : line) << std::endl;
  }

  const Output output_;
  const bool is_ascii_;
  uint64_t sequence_;
  std::optional<uint64_t> away_said_at_;
};

ExitCode Watch(const WatchOptions& options) {
  if (options.target.output == Output::kText && !options.is_plain && Terminal::CanBeDrawnOn()) {
    return WatchLive(options);
  }
  WatchLines lines(options);
  SessionStream stream(options.session_id, StreamOptionsFor(options, lines));
  const absl::Status status = ReadSession(stream, options.count, lines);
  return status.ok() ? kDone : Fail(status, options.target);
}

}  // namespace

SessionStreamOptions StreamOptionsFor(const WatchOptions& options, WatchSink& sink) {
  SessionStreamOptions stream;
  stream.control = options.target.control;
  stream.credentials = options.target.credentials;
  stream.after.emplace();
  stream.after->set_epoch(options.epoch);
  stream.after->set_sequence(options.after_sequence);
  stream.give_up_after = options.target.retry_for;
  stream.on_connection = [&sink](const absl::Status& status) { sink.OnConnection(status); };
  return stream;
}

absl::Status ReadSession(SessionStream& stream, uint64_t count, WatchSink& sink) {
  uint64_t seen = 0;
  while (count == 0 || seen < count) {
    const absl::StatusOr<std::optional<SessionStream::Item>> next = stream.Next();
    if (!next.ok()) return next.status();
    if (!*next) break;
    if (const auto* event = std::get_if<v1::Event>(&**next)) {
      ++seen;
      sink.OnEvent(*event);
    } else {
      sink.OnResync(std::get<Resync>(**next).snapshot);
    }
  }
  return absl::OkStatus();
}

void AddWatch(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "watch",
      "Show a session from its first event and on, until it ends: in a terminal its state as it "
      "changes, else an event a line");
  const auto options = std::make_shared<WatchOptions>();
  AddTargetFlags(*command, options->target);
  command->add_option("session", options->session_id, "The session's id")->required();
  command->add_option("--after_sequence", options->after_sequence, "Only events after this one");
  command->add_option("--epoch", options->epoch, "The epoch of --after_sequence");
  command->add_option("--count", options->count, "Stop after so many events; 0: do not");
  command
      ->add_flag("--plain", options->is_plain,
                 "An event a line, also in a terminal (TERM=dumb means it too)")
      ->envname("SESSIONCAST_PLAIN");
  command->callback([options, &exit_code] { exit_code = Watch(*options); });
}

}  // namespace sessioncast::tool
