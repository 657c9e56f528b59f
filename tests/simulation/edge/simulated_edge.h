// An edge from its TCP connections down to its hub, all its own code but for the I/O thread and the
// sockets, which are in memory: session sockets, Socket.IO, Engine.IO, WebSocket.
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/broken_rule.h"
#include "edge/access.h"
#include "edge/engineio/connection.h"
#include "edge/engineio/io_loop.h"
#include "edge/hub.h"
#include "edge/socketio/connection_sockets.h"
#include "tests/simulation/edge/naive_control.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

struct EdgeLimits {
  edge::Pace::Limits pace;
  uint32_t page_bytes_max = 0;
  size_t tail_bytes_max = 0;
  edge::BrokenRule broken_rule = edge::BrokenRule::kNone;
};

class SimulatedEdge : public engineio::ConnectionHome {
 public:
  SimulatedEdge(Scheduler& scheduler, NaiveControl& control, EdgeLimits limits);
  // As a kill -9: nobody is told anything.
  ~SimulatedEdge() override;
  SimulatedEdge(const SimulatedEdge&) = delete;
  SimulatedEdge& operator=(const SimulatedEdge&) = delete;

  // A client has made a WebSocket.
  void Accept(const std::shared_ptr<engineio::Pipe>& pipe, const std::string& user_agent);
  // One turn of something that is ready; false: nothing is.
  bool Step();
  void Advance(absl::Duration by);
  ControlLine& line() { return line_; }
  edge::Hub& hub() { return hub_; }
  // "": what is queued for its connections is within the limits.
  std::string QueuesTooLong() const;
  bool empty() const { return connections_.empty(); }

  engineio::IoThread& thread() override { return thread_; }
  const engineio::ConnectionLimits& limits() const override { return connection_limits_; }
  const engineio::PacketObserver& packet_observer() const override { return observer_; }
  void FlushSoon(std::shared_ptr<engineio::Connection> connection) override;
  void Forget(const std::string& sid) override { connections_.erase(sid); }
  void OnEnded(const engineio::Connection&, engineio::DisconnectReason) override {}

 private:
  engineio::IoThread::Loop& loop() const { return thread_.loop(); }

  Scheduler& scheduler_;
  const EdgeLimits limits_;
  mutable engineio::IoThread thread_{0};
  ControlLine line_;
  const edge::Access access_;  // nobody is asked for a token
  edge::Hub hub_;
  socketio::ServerRules rules_;
  engineio::ConnectionLimits connection_limits_;
  engineio::PacketObserver observer_;
  std::vector<std::shared_ptr<engineio::Pipe>> pipes_;
  std::map<std::string, std::shared_ptr<engineio::Connection>> connections_;
  engineio::Timer retry_;
  uint64_t accepted_ = 0;
};

}  // namespace sessioncast::test
