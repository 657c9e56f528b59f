// Why a connection, or a socket's membership, ended: the closed list.
#pragma once

#include <string_view>

namespace sessioncast::engineio {

enum class DisconnectReason {
  kTransportClose,  // the client closed it
  kTransportError,  // TCP error, overlapping polls, a malformed WebSocket frame
  kPingTimeout,     // no pong in time
  kParseError,      // a packet that is none
  kForcedClose,     // the server ended it for breaking the protocol
  kSlowConsumer,    // the queue passed its limit, or no byte was taken for too long
  kConnectTimeout,  // no namespace joined in time
  kLimit,           // a limit on what a client may do was passed
  kServerShuttingDown,
  kForcedServerClose,          // the application ended the connection
  kClientNamespaceDisconnect,  // the client left the namespace
  kServerNamespaceDisconnect,  // the application ended the membership
};

// As the reference says it: "transport close", "ping timeout", ...
std::string_view ToString(DisconnectReason reason);

}  // namespace sessioncast::engineio
