// A socket: a connection's membership in a namespace, from its CONNECT on.
//
// Threads: the connection's I/O thread only.
// Invariants: `connecting` while the middlewares decide, then `connected`, then `left`; once it has
// left, every acknowledgement that it waited for has been answered with an error.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "edge/socketio/connection_sockets.h"
#include "edge/socketio/namespace_handlers.h"
#include "edge/socketio/server.h"

namespace sessioncast::socketio {

class MemberSocket : public Socket {
 public:
  MemberSocket(ConnectionSockets& owner, const NamespaceHandlers& handlers, Json auth);

  const std::string& id() const override { return id_; }
  bool recovered() const override { return recovered_; }
  const Handshake& handshake() const override { return handshake_; }
  IoThread& thread() const override { return thread_; }
  bool connected() const override { return state_ == State::kConnected; }
  void EmitTagged(std::string_view name, const Json& arguments, Tag tag) override;
  void Emit(const EncodedEvent& event) override;
  void EmitWithAck(std::string_view name, const Json& arguments, std::chrono::milliseconds timeout,
                   std::function<void(absl::Status, const Json&)> done) override;
  void EmitVolatile(std::string_view name, const Json& arguments) override;
  void SetLastArgument(std::function<std::string(const Tag&)> compute,
                       std::function<void(const Tag&)> take_back) override;
  size_t queued_bytes() const override;
  void DropQueued(const std::function<bool(const Tag&)>& is_dropped) override;
  void AwaitDrain(size_t queued_bytes) override;
  void Flush() override;
  void SetUnsentMax(std::optional<int> bytes) override;
  void Disconnect() override;
  void CloseConnection(DisconnectReason reason) override;

  // For the connection's sockets.
  const NamespaceHandlers& handlers() const { return handlers_; }
  bool connecting() const { return state_ == State::kConnecting; }
  void BecomeConnected(const Identity& identity);
  void BecomeLeft();
  // An EVENT; its payload's first element is the name.
  void OnEvent(Packet packet);
  // An EVENT that is not handled, since the client has passed this rate.
  void OnOverRate(const Packet& packet, const RateLimit& passed);
  void OnAck(const Packet& packet);
  // The connection's queue has become shorter.
  void OnDrained();

 private:
  enum class State { kConnecting, kConnected, kLeft };
  struct AwaitedAck {
    engineio::Timer deadline;
    std::function<void(absl::Status, const Json&)> done;
  };

  Ack AckFor(const Packet& packet);
  void FinishAck(uint64_t id, absl::Status status, const Json& arguments);

  ConnectionSockets* owner_;  // null once it has left
  const NamespaceHandlers& handlers_;
  IoThread& thread_;
  std::string id_;
  bool recovered_ = false;
  const Handshake handshake_;
  engineio::PacketEndingPtr ending_;  // of events; null: none
  std::optional<size_t> drain_mark_;
  State state_ = State::kConnecting;
  uint64_t next_ack_id_ = 0;
  std::map<uint64_t, AwaitedAck> awaited_acks_;
};

}  // namespace sessioncast::socketio
