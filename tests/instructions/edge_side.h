// An I/O thread of an edge without gRPC and without a network: the hub, session sockets, Socket.IO,
// Engine.IO and the WebSocket transport are the edge's own; the loop and the TCP connections are
// tests/simulation/edge/in_memory. Its clients are browsers that recover, and take every byte.
//
// Single-threaded; the same calls do the same work each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/access.h"
#include "edge/engineio/connection.h"
#include "edge/engineio/io_loop.h"
#include "edge/hub.h"
#include "edge/socketio/connection_sockets.h"
#include "sessioncast/v1/edge_service.pb.h"

namespace sessioncast::test {

class EdgeSide : public engineio::ConnectionHome {
 public:
  using BeginInterest = std::function<void(uint32_t interest_id, const std::string& session_id)>;

  explicit EdgeSide(BeginInterest begin);
  ~EdgeSide() override;
  EdgeSide(const EdgeSide&) = delete;
  EdgeSide& operator=(const EdgeSide&) = delete;

  // A browser opens a WebSocket and subscribes to a session that has no events yet.
  void Connect(const std::string& session_id);
  // A serialized AttachResponse arrives; what it brings has left when this returns.
  void Receive(const std::string& message);
  // How many events of this name the clients have got since they were last counted.
  size_t TakeEvents(std::string_view name);

  engineio::IoThread& thread() override { return thread_; }
  const engineio::ConnectionLimits& limits() const override { return limits_; }
  const engineio::PacketObserver& packet_observer() const override { return observer_; }
  void FlushSoon(std::shared_ptr<engineio::Connection> connection) override;
  void Forget(const std::string& sid) override { connections_.erase(sid); }
  void OnEnded(const engineio::Connection&, engineio::DisconnectReason) override {}

 private:
  void Send(engineio::Pipe& pipe, std::string_view packet);
  void RunTurns();
  void FlushAll();

  engineio::IoThread thread_{0};
  const edge::Access access_;  // nobody is asked for a token
  edge::Hub hub_;
  socketio::ServerRules rules_;
  const engineio::ConnectionLimits limits_;
  const engineio::PacketObserver observer_;
  v1::AttachResponse incoming_;
  std::vector<edge::ReadRequest> reads_;  // not answered yet
  std::vector<std::shared_ptr<engineio::Connection>> flush_list_;
  std::vector<std::shared_ptr<engineio::Pipe>> pipes_;
  std::map<std::string, std::shared_ptr<engineio::Connection>> connections_;
};

}  // namespace sessioncast::test
