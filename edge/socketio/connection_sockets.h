// The sockets of one Engine.IO connection (one a namespace), and the decoder that feeds them. The
// decoder's state belongs to the connection: the attachments of an event may come in several
// requests, and by another transport.
//
// Threads: the connection's I/O thread only.
// Invariants: what breaks the protocol ends the connection. A packet that waits for attachments has
// a deadline for the next one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/engineio/connection.h"
#include "edge/engineio/message_sink.h"
#include "edge/socketio/namespace_handlers.h"
#include "edge/socketio/packet.h"
#include "edge/socketio/packet_decoder.h"
#include "edge/socketio/server.h"

namespace sessioncast::socketio {

class MemberSocket;

// What all connections of a server share; immutable once it has started.
struct ServerRules {
  PacketLimits packets;
  size_t awaited_acks_max = 1'000;
  std::vector<RateLimit> rates;                            // the first: of messages; empty: none
  std::map<std::string, size_t, std::less<>> event_rates;  // events that have another: which
  std::chrono::milliseconds connect_timeout{45'000};
  std::chrono::milliseconds attachments_timeout{45'000};
  std::map<std::string, std::unique_ptr<NamespaceHandlers>, std::less<>> namespaces;
  Observer observer;
};

class ConnectionSockets : public engineio::MessageSink {
 public:
  ConnectionSockets(const ServerRules& rules, engineio::Connection& connection);
  ~ConnectionSockets() override;

  void OnText(std::string_view text) override;
  void OnBinary(std::string_view bytes) override;
  void OnDrained() override;
  void OnClose(DisconnectReason reason) override;

  // For its sockets.
  engineio::Connection& connection() { return connection_; }
  const ServerRules& rules() const { return rules_; }
  void Send(WrittenPacket packet, engineio::PacketEndingPtr ending = nullptr, Tag tag = nullptr);
  void SendText(std::string text);
  // The socket is no member any more.
  void Leave(MemberSocket& socket, DisconnectReason reason);

 private:
  void OnRead(absl::StatusOr<std::optional<Packet>> packet);
  void OnPacket(Packet packet);
  // Which of the rules' rates a packet counts for; nothing: for none.
  std::optional<size_t> RateOf(const Packet& packet) const;
  void OnOverRate(const Packet& packet, size_t rate);
  void OnConnect(const Packet& packet);
  void OnMemberPacket(MemberSocket& socket, Packet packet);
  void RunMiddlewares(MemberSocket& socket, size_t next);
  void Decide(MemberSocket& socket, size_t middleware, std::optional<ConnectRefusal> refusal);
  void Accept(MemberSocket& socket);
  void SendConnectError(std::string_view name_space, const ConnectRefusal& refusal);

  const ServerRules& rules_;
  engineio::Connection& connection_;
  std::map<std::string, std::shared_ptr<MemberSocket>> sockets_;
  PacketDecoder decoder_;
  std::vector<engineio::RateMeter> meters_;  // of the rules' rates; empty before the first packet
  engineio::Timer attachments_deadline_;
  engineio::Timer connect_deadline_;
};

}  // namespace sessioncast::socketio
