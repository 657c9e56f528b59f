// The edge, whole: I/O threads with their hubs and lines to control, session sockets, REST, and the
// page.
//
// Threads: Start, Drain, Stop by whoever owns it, one at a time; the rest by any.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/access.h"
#include "edge/census.h"
#include "edge/session_socket.h"
#include "edge/socketio/server.h"
#include "edge/upstream.h"
#include "edge/web_root.h"
#include "grpcpp/channel.h"

namespace sessioncast::edge {

struct ServerOptions {
  ServerOptions();  // the Socket.IO library's limits, as the edge sets them (docs/PROTOCOL.md)
  socketio::Options sockets;
  SessionSocketOptions sessions;
  // Without keys in it, it listens on loopback only, unless it is told otherwise there.
  AccessOptions access;
  Upstream::Options upstream;
  WebRootOptions web_root;
  // How long Stop says not ready before it accepts nothing more: the time of a balancer to notice.
  std::chrono::milliseconds drain_time{250};
};

class Server {
 public:
  // `channel`: to control; need not be reachable yet. The error names the address that cannot be
  // bound, the key that cannot be used, or what is wrong with the directory of the web.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options,
                                                       std::shared_ptr<grpc::Channel> channel);
  // Stops.
  ~Server();

  std::vector<std::string> addresses() const;
  uint16_t port() const;
  // What its I/O threads hold; waits for them, not for long. Not by them; after Stop it is what it
  // was.
  Census::Counts counts() const;

  // Reads the keys of tokens again; the error names the one that cannot be used, and all stay as they
  // were. By any thread.
  absl::Status ReloadKeys();

  // Not ready, after drain_time nobody new, all transports closed (clients come back by themselves,
  // elsewhere), threads joined.
  void Stop();

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sessioncast::edge
