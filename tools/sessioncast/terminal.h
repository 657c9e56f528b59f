// The terminal at standard output, while something is drawn on it: its modes, its size, its
// signals. However the program is told to end it leaves the terminal as it was.
//
// Threads: one, which makes it before any other thread is started: the signals are blocked for that
// thread and all that it starts.
#pragma once

#include <termios.h>

#include <chrono>
#include <optional>
#include <string>

#include "tools/sessioncast/watch_view.h"

namespace sessioncast::tool {

class Terminal {
 public:
  using Clock = std::chrono::steady_clock;
  struct Happened {
    std::optional<int> stop_signal;
    bool is_drawn_over = false;  // another size, or the program was stopped and went on
  };

  // Standard output is a terminal that can be drawn on (TERM), and this is its foreground job.
  static bool CanBeDrawnOn();
  // A terminal of this locale may be given UTF-8. Where none is set it may, too: terminals of today
  // know it.
  static bool IsUtf8();
  // By https://no-color.org: NO_COLOR is not set, or empty.
  static bool WantsColours();

  Terminal();
  // Leaves it.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Enter();
  // Back to what there was, and below it this.
  void Leave(const std::string& last);

  ViewSize size() const;

  // Something has not gone yet: a terminal at a slow line takes none for a while.
  bool IsBusy() const { return !unsent_.empty(); }
  void Send(std::string bytes);

  // Until `wake_fd` can be read, something happened, there is room for what is unsent, or `until`.
  Happened Wait(int wake_fd, std::optional<Clock::time_point> until);

  // Ends this process as the signal would have.
  [[noreturn]] static void EndBy(int signal_number);

 private:
  void SetModes();
  void RestoreModes();
  // At most so long, if there is no room.
  void Flush(std::chrono::milliseconds time_max);
  void SendUnsent();
  void StopUntilContinued();

  int output_ = -1;  // of our own: it does not block
  int signals_ = -1;
  std::optional<termios> modes_;  // as they were
  bool has_entered_ = false;
  std::string unsent_;
};

}  // namespace sessioncast::tool
