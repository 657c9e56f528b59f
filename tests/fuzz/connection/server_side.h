// An edge in memory, without control, threads, kernel or clock: the engine with two I/O threads and
// all above it: Socket.IO, session sockets and a hub a thread; small limits, so that inputs pass
// them. What must hold of it is checked after each step.
//
// Threads: one. The caller runs it, step by step.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/access.h"
#include "edge/engineio/engine.h"
#include "edge/engineio/io_loop.h"
#include "edge/hub.h"
#include "edge/socketio/connection_sockets.h"
#include "tests/fuzz/connection/states.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {

// What one I/O thread has of control: logs that only grow, of events that must be delivered.
class ControlLine {
 public:
  using Tops = std::map<std::string, uint64_t>;  // sessions

  ControlLine(engineio::IoThread& thread, const Tops& tops);

  edge::Hub& hub() { return hub_; }
  // The tops have changed.
  void Feed();
  void Attach();
  void Detach();

 private:
  struct Interest {
    std::string session_id;
    std::optional<uint64_t> at;  // sent up to here; nothing: it is to be announced
  };

  edge::Hub::Options Options() const;
  edge::Hub::Upward Upward();
  void FeedOne(uint32_t interest_id);
  edge::Page Read(const edge::ReadRequest& request);

  engineio::IoThread& thread_;
  const Tops& tops_;
  bool attached_ = false;
  engineio::Timer retry_;
  std::map<uint32_t, Interest> interests_;
  edge::Hub hub_;
};

class ServerSide {
 public:
  // `dice`: which of what is ready comes next.
  explicit ServerSide(Dice& dice);
  ~ServerSide();
  ServerSide(const ServerSide&) = delete;
  ServerSide& operator=(const ServerSide&) = delete;

  // Whether somebody listens.
  bool Connect(std::shared_ptr<engineio::Pipe> pipe);
  // Until nothing is ready.
  void Run();
  void Advance(std::chrono::milliseconds by);
  void Publish(const std::string& session_id, size_t events);
  void SetAttached(bool attached);
  // What the user of the library does with a socket of /custom: the `which`th, the `what`th thing.
  void Act(size_t which, size_t what, size_t bytes);
  void Stop();
  // When all clients have left, and time has passed.
  void CheckNothingIsHeld();

 private:
  class WatchedSink;

  engineio::EngineOptions Options();
  void ServeCustom(socketio::Namespace& sockets);
  // One turn of something that is ready; false: nothing is.
  bool Step();
  bool StepSocket();
  void Check();
  void CheckHub();
  void LetWaitersRun(std::chrono::milliseconds time);
  void LetNobodyRun();
  // Calls what waits for I/O threads, and runs them meanwhile, for so long.
  void RunFor(const std::function<void()>& waits, std::chrono::milliseconds time);

  Dice& dice_;
  ControlLine::Tops tops_;
  const edge::Access access_;  // nobody is asked for a token
  socketio::ServerRules rules_;
  std::list<WatchedSink*> sinks_;
  engineio::ConnectionPhases phases_;
  std::vector<std::weak_ptr<socketio::Socket>> custom_;
  std::vector<std::unique_ptr<ControlLine>> lines_;  // in the order of destruction: before sockets
  engineio::Engine engine_;
  std::vector<std::shared_ptr<engineio::Pipe>> pipes_;
  bool stopped_ = false;
};

}  // namespace sessioncast::fuzz
