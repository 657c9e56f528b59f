// A Socket.IO client that shows each of its steps, as `doctor` takes them: Engine.IO v4's handshake
// over either transport, Socket.IO v5's CONNECT, events. By polling each request has a connection of
// its own, as through a balancer that sends each where it likes.
//
// Errors: web_connection.h's; and FAILED_PRECONDITION: the peer answered by something else, which the
// message shows.
// Threads: one; blocking.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "tools/sessioncast/web_connection.h"

namespace sessioncast::tool {

// A field of what a peer sent, if it is there and of that type.
template <typename T>
T Field(const nlohmann::json& object, const char* name, T otherwise) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->template get<T>() : otherwise;
  } else if constexpr (std::is_same_v<T, bool>) {
    return found->is_boolean() ? found->template get<T>() : otherwise;
  } else {
    return found->is_number_unsigned() ? found->template get<T>() : otherwise;
  }
}

// JSON of a peer; what is none is "discarded", which has no fields.
inline nlohmann::json ParseLeniently(std::string_view text) {
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

struct SocketEvent {
  std::string name;
  nlohmann::json payload;
  std::string offset;  // where a recovery goes on; "": of no event of a log
};

class SocketProbe {
 public:
  enum class Transport { kPolling, kWebsocket };

  SocketProbe(WebAddress address, WebLimits limits)
      : address_(std::move(address)), limits_(std::move(limits)) {}

  // `auth`: what goes with CONNECT, an object.
  absl::Status Open(Transport transport, const nlohmann::json& auth);
  // From polling to websocket, as stock clients do.
  absl::Status Upgrade();
  absl::Status Emit(std::string_view name, std::string_view argument);
  // Pings that come are answered. One that waits longer than `patience` is DEADLINE_EXCEEDED.
  absl::StatusOr<SocketEvent> Next(std::chrono::milliseconds patience);
  // The next of this name; others are dropped.
  absl::StatusOr<SocketEvent> NextOf(std::string_view name, std::chrono::milliseconds patience);
  // Waits for one ping of the server, which comes every pingInterval, and answers it.
  absl::Status AwaitPing(std::chrono::milliseconds patience);
  // As a network that fails: nothing is said.
  void Drop();

  // What the server said: {sid, pingInterval, pingTimeout, maxPayload …}, and {sid, pid}.
  const nlohmann::json& handshake() const { return handshake_; }
  const nlohmann::json& connected() const { return connected_; }

 private:
  std::string Target(std::string_view transport, std::string_view sid) const;
  absl::StatusOr<std::string> Exchange(const WebRequest& request, std::chrono::milliseconds patience);
  absl::Status OpenWebsocket(std::string_view sid);
  // Of the Engine.IO connection, whatever its transport.
  absl::Status SendPacket(std::string_view packet);
  absl::StatusOr<std::string> NextPacket(std::chrono::milliseconds patience);
  absl::Status TakeHandshake(std::string_view packet);
  absl::Status Connect(const nlohmann::json& auth);

  const WebAddress address_;
  const WebLimits limits_;
  std::unique_ptr<WebConnection> websocket_;  // null: polling
  std::string sid_;
  std::deque<std::string> packets_;
  nlohmann::json handshake_, connected_;
};

}  // namespace sessioncast::tool
