#include "tools/daemon/signals.h"

#include <pthread.h>
#include <signal.h>

namespace sessioncast::daemon {
namespace {

sigset_t HandledSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

bool IsIgnored(int signal_number) {
  struct sigaction action = {};
  sigaction(signal_number, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals() : ignores_hangup_(IsIgnored(SIGHUP)) {
  const sigset_t set = HandledSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int StopSignals::Wait(const std::function<void()>& reload) {
  const sigset_t set = HandledSet();
  while (true) {
    int signal_number = 0;
    if (sigwait(&set, &signal_number) != 0) continue;
    if (signal_number != SIGHUP) return signal_number;
    if (reload) {
      reload();
    } else if (!ignores_hangup_) {
      return signal_number;
    }
  }
}

}  // namespace sessioncast::daemon
