#include "tools/sessioncast/terminal.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "tools/sessioncast/screen.h"

namespace sessioncast::tool {
namespace {

constexpr std::chrono::milliseconds kLeaveTimeMax{1'000};
constexpr std::array kStopSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

bool IsIgnored(int signal_number) {
  struct sigaction action = {};
  sigaction(signal_number, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

sigset_t HandledSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kStopSignals) {
    if (!IsIgnored(number)) sigaddset(&set, number);
  }
  if (!IsIgnored(SIGTSTP)) sigaddset(&set, SIGTSTP);
  sigaddset(&set, SIGCONT);
  sigaddset(&set, SIGWINCH);
  return set;
}

// As the signal's default is, though it is blocked.
void TakeDefault(int signal_number) {
  signal(signal_number, SIG_DFL);
  raise(signal_number);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int MillisecondsUntil(std::optional<Terminal::Clock::time_point> until) {
  if (!until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Terminal::Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
}

}  // namespace

bool Terminal::CanBeDrawnOn() {
  const char* const name = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && name != nullptr && *name != '\0' &&
         std::string_view(name) != "dumb" && tcgetpgrp(STDOUT_FILENO) == getpgrp();
}

bool Terminal::IsUtf8() {
  const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale == nullptr) return true;  // of a name that this system does not have
  const std::string_view charset = nl_langinfo_l(CODESET, locale);
  const bool is_utf8 = charset == "UTF-8" || charset == "ANSI_X3.4-1968";
  freelocale(locale);
  return is_utf8;
}

bool Terminal::WantsColours() {
  const char* const no_color = std::getenv("NO_COLOR");
  return no_color == nullptr || *no_color == '\0';
}

Terminal::Terminal() {
  const sigset_t set = HandledSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  // Opened anew, since not to block is a flag of what was opened, which the shell shares.
  output_ = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (output_ < 0) output_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

Terminal::~Terminal() {
  if (has_entered_) Leave("");
  close(output_);
  close(signals_);
}

void Terminal::Enter() {
  has_entered_ = true;
  SetModes();
  Send(Screen::Begin());
}

void Terminal::Leave(const std::string& last) {
  if (!has_entered_) return;
  Send(Screen::End() + last);
  Flush(kLeaveTimeMax);
  RestoreModes();
  has_entered_ = false;
}

ViewSize Terminal::size() const {
  winsize size = {};
  // Some report nothing (a serial line).
  const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  if (!is_known || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Terminal::Send(std::string bytes) {
  unsent_ += bytes;
  SendUnsent();
}

Terminal::Happened Terminal::Wait(int wake_fd, std::optional<Clock::time_point> until) {
  std::array<pollfd, 3> waited = {pollfd{signals_, POLLIN, 0}, pollfd{wake_fd, POLLIN, 0},
                                  pollfd{IsBusy() ? output_ : -1, POLLOUT, 0}};
  poll(waited.data(), waited.size(), MillisecondsUntil(until));
  if (waited[2].revents != 0) SendUnsent();
  Happened happened;
  signalfd_siginfo info = {};
  while (read(signals_, &info, sizeof(info)) == sizeof(info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) {
      happened.is_drawn_over = true;
    } else if (number == SIGCONT) {
      SetModes();  // whoever had the terminal meanwhile had modes of its own
      happened.is_drawn_over = true;
    } else if (number == SIGTSTP) {
      StopUntilContinued();
      happened.is_drawn_over = true;
    } else {
      happened.stop_signal = number;
    }
  }
  return happened;
}

void Terminal::EndBy(int signal_number) {
  TakeDefault(signal_number);
  _exit(128 + signal_number);  // not reached: each of them ends a process
}

// Nothing that is typed is shown, or holds up what is drawn (Ctrl-S), or is left for the shell.
void Terminal::SetModes() {
  termios modes = {};
  if (tcgetattr(STDOUT_FILENO, &modes) != 0) return;
  if (!modes_) modes_ = modes;
  modes.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  modes.c_iflag &= ~static_cast<tcflag_t>(IXON);
  tcsetattr(STDOUT_FILENO, TCSANOW, &modes);
}

void Terminal::RestoreModes() {
  if (!modes_) return;
  tcflush(STDOUT_FILENO, TCIFLUSH);
  tcsetattr(STDOUT_FILENO, TCSANOW, &*modes_);
  modes_.reset();
}

void Terminal::Flush(std::chrono::milliseconds time_max) {
  const auto until = Clock::now() + time_max;
  while (IsBusy() && Clock::now() < until) {
    pollfd waited = {output_, POLLOUT, 0};
    poll(&waited, 1, MillisecondsUntil(until));
    SendUnsent();
  }
  unsent_.clear();
}

void Terminal::SendUnsent() {
  while (!unsent_.empty()) {
    const ssize_t sent = write(output_, unsent_.data(), unsent_.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return unsent_.clear();  // it is gone: SIGHUP follows
    unsent_.erase(0, static_cast<size_t>(sent));
  }
}

void Terminal::StopUntilContinued() {
  Leave("");
  TakeDefault(SIGTSTP);
  Enter();
}

}  // namespace sessioncast::tool
