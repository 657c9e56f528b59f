// What the echo server keeps so that its clients can go on after a lost connection: for each pid
// the last events that were emitted to it, in memory.
//
// Threads: any; one lock.
// Invariants: at most kEventsMax events a pid and kPidsMax pids; a pid is forgotten kKeptTime after
// its last socket went. An event's offset is its number among the pid's.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/socketio/server.h"

namespace sessioncast::conformance {

struct KeptEvent {
  uint64_t number = 0;
  std::string name;
  socketio::Json arguments;
};

class ReplayLog {
 public:
  static constexpr size_t kEventsMax = 1'000;
  static constexpr size_t kPidsMax = 10'000;
  static constexpr std::chrono::seconds kKeptTime{120};

  // A new pid, for the socket with this id.
  std::string Open(const std::string& socket_id);
  // The id of the pid's socket, if the pid is kept and what comes behind `offset` too.
  std::optional<std::string> Restore(const std::string& pid, uint64_t offset);
  // Its socket went.
  void Leave(const std::string& pid);
  // The event's number.
  uint64_t Append(const std::string& pid, std::string_view name, const socketio::Json& arguments);
  std::vector<KeptEvent> After(const std::string& pid, uint64_t offset);

 private:
  using Clock = std::chrono::steady_clock;
  struct Life {
    std::string socket_id;
    int sockets = 0;
    Clock::time_point left;  // if there is no socket
    uint64_t last = 0;
    std::deque<KeptEvent> events;
  };

  void Forget();

  std::mutex mutex_;
  std::map<std::string, Life> lives_;  // guarded by mutex_, as all below
};

}  // namespace sessioncast::conformance
