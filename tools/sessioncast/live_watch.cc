// `watch` in a terminal: one thread reads the session, one draws what is known of it.
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/daemon/grpc_log.h"
#include "tools/sessioncast/screen.h"
#include "tools/sessioncast/terminal.h"
#include "tools/sessioncast/watch.h"
#include "tools/sessioncast/watch_state.h"
#include "tools/sessioncast/watch_view.h"
#include "tools/sessioncast/watched_session.h"

namespace sessioncast::tool {
namespace {

using Clock = WatchState::Clock;

constexpr std::chrono::milliseconds kFrameInterval{50};
constexpr std::chrono::seconds kTick{1};  // while a time that goes on is shown

Look LookOfTerminal() {
  return {.has_colours = Terminal::WantsColours(), .is_ascii = !Terminal::IsUtf8()};
}

// What reaches the same control again, where it is not the default, with the same credentials.
std::string AnswerFlags(const Target& target) {
  const std::pair<const char*, const std::string*> flags[] = {
      {"ca", &target.credentials.ca_file},
      {"cert", &target.credentials.cert_file},
      {"key", &target.credentials.key_file},
      {"token_file", &target.credentials.token_file}};
  std::string text;
  if (target.control != Target().control) absl::StrAppend(&text, " --control=", target.control);
  for (const auto& [name, value] : flags) {
    if (!value->empty()) absl::StrAppend(&text, " --", name, "=", *value);
  }
  return text;
}

// Draws until the session has been read, or a signal stops it.
class LiveView {
 public:
  LiveView(Terminal& terminal, WatchedSession& session, std::string answer_flags)
      : terminal_(terminal), session_(session), answer_flags_(std::move(answer_flags)) {}

  std::optional<int> Run() {
    terminal_.Enter();
    while (!session_.end()) {
      const Clock::time_point now = Clock::now();
      if (NextFrameAt() <= now && !terminal_.IsBusy()) DrawFrame(now);
      const Terminal::Happened happened = terminal_.Wait(session_.wake_fd(), WaitUntil());
      session_.Woken();
      if (happened.stop_signal) return happened.stop_signal;
      if (happened.is_drawn_over) {
        screen_.Forget();
        is_drawn_over_ = true;
      }
    }
    return std::nullopt;
  }

  // The last of it stays, with a line below for the shell.
  void Leave() {
    ViewSize size = terminal_.size();
    if (size.rows > 1) --size.rows;
    terminal_.Leave(screen_.Print(session_.Lines(answer_flags_, size)));
  }

 private:
  Clock::time_point NextFrameAt() const {
    if (is_drawn_over_ || session_.has_changed()) return drawn_at_ + kFrameInterval;
    return session_.is_away() ? drawn_at_ + kTick : Clock::time_point::max();
  }

  std::optional<Clock::time_point> WaitUntil() const {
    const Clock::time_point next = NextFrameAt();
    if (next == Clock::time_point::max() || terminal_.IsBusy()) return std::nullopt;
    return next;
  }

  void DrawFrame(Clock::time_point now) {
    const ViewSize size = terminal_.size();
    terminal_.Send(screen_.Show(session_.Lines(answer_flags_, size), size));
    drawn_at_ = now;
    is_drawn_over_ = false;
  }

  Terminal& terminal_;
  WatchedSession& session_;
  const std::string answer_flags_;
  Screen screen_{LookOfTerminal()};
  bool is_drawn_over_ = true;
  Clock::time_point drawn_at_;
};

}  // namespace

ExitCode WatchLive(const WatchOptions& options) {
  Terminal terminal;
  if (isatty(STDERR_FILENO) == 1) daemon::DropGrpcLog();
  WatchedSession session(options);
  SessionStream stream(options.session_id, StreamOptionsFor(options, session));
  std::thread reader([&] { session.End(ReadSession(stream, options.count, session)); });
  LiveView view(terminal, session, AnswerFlags(options.target));
  const std::optional<int> stop_signal = view.Run();
  view.Leave();
  if (stop_signal) Terminal::EndBy(*stop_signal);
  reader.join();
  const absl::Status status = *session.end();
  return status.ok() ? kDone : Fail(status, options.target);
}

}  // namespace sessioncast::tool
