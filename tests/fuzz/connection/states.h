// The states of the edge's connection machine that an input can reach, by name, and what it says
// and why it ends.
//
// Threads: one.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "edge/engineio/connection.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/websocket_transport.h"
#include "tests/fuzz/reached.h"

namespace sessioncast::engineio {

// What a connection and its transports are in the midst of.
class ConnectionPhases {
 public:
  using Note = void (*)(std::string_view state);

  // Notes the states that the connection is in; remembers what may outlive it.
  void Look(const Connection& connection, Note note);
  // The same of transports and requests whose connection may be gone.
  void LookAtRest(Note note);

 private:
  static void LookAtPolling(const Connection& connection, Note note);
  static void LookAtWebSocket(const Connection& connection, Note note);
  void Remember(const std::shared_ptr<HttpConnection>& http);
  void Remember(const std::shared_ptr<WebSocketTransport>& websocket);

  std::vector<std::weak_ptr<HttpConnection>> requests_;
  std::vector<std::weak_ptr<WebSocketTransport>> websockets_;
};

}  // namespace sessioncast::engineio

namespace sessioncast::fuzz {

// Of all inputs of this process.
Reached& ReachedStates();
inline void NoteState(std::string_view state) { ReachedStates().Add(state); }

}  // namespace sessioncast::fuzz
