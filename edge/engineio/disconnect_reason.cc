#include "edge/engineio/disconnect_reason.h"

namespace sessioncast::engineio {

std::string_view ToString(DisconnectReason reason) {
  switch (reason) {
    case DisconnectReason::kTransportClose:
      return "transport close";
    case DisconnectReason::kTransportError:
      return "transport error";
    case DisconnectReason::kPingTimeout:
      return "ping timeout";
    case DisconnectReason::kParseError:
      return "parse error";
    case DisconnectReason::kForcedClose:
      return "forced close";
    case DisconnectReason::kSlowConsumer:
      return "slow consumer";
    case DisconnectReason::kConnectTimeout:
      return "connect timeout";
    case DisconnectReason::kLimit:
      return "limit";
    case DisconnectReason::kServerShuttingDown:
      return "server shutting down";
    case DisconnectReason::kForcedServerClose:
      return "forced server close";
    case DisconnectReason::kClientNamespaceDisconnect:
      return "client namespace disconnect";
    case DisconnectReason::kServerNamespaceDisconnect:
      return "server namespace disconnect";
  }
  return "unknown";
}

}  // namespace sessioncast::engineio
