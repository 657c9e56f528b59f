#include "edge/socketio/connection_sockets.h"

#include <utility>

#include "edge/socketio/member_socket.h"

namespace sessioncast::socketio {

ConnectionSockets::ConnectionSockets(const ServerRules& rules, engineio::Connection& connection)
    : rules_(rules), connection_(connection), decoder_(rules.packets) {
  connect_deadline_ = connection_.thread().After(
      rules_.connect_timeout, [this] { connection_.Close(DisconnectReason::kConnectTimeout); });
}

ConnectionSockets::~ConnectionSockets() {
  for (const auto& [name_space, socket] : sockets_) socket->BecomeLeft();
}

// ---- the decoder

void ConnectionSockets::OnText(std::string_view text) { OnRead(decoder_.ReadText(text)); }

void ConnectionSockets::OnBinary(std::string_view bytes) { OnRead(decoder_.ReadBinary(bytes)); }

void ConnectionSockets::OnRead(absl::StatusOr<std::optional<Packet>> packet) {
  attachments_deadline_.Cancel();
  if (!packet.ok()) return connection_.Close(DisconnectReason::kParseError);
  if (*packet) return OnPacket(**std::move(packet));
  attachments_deadline_ = connection_.thread().After(
      rules_.attachments_timeout, [this] { connection_.Close(DisconnectReason::kParseError); });
}

// ---- packets

void ConnectionSockets::OnPacket(Packet packet) {
  if (const std::optional<size_t> rate = RateOf(packet)) {
    if (meters_.empty()) meters_.resize(rules_.rates.size());
    const engineio::Clock::time_point now = connection_.thread().now();
    if (!meters_[*rate].Take(rules_.rates[*rate], now)) return OnOverRate(packet, *rate);
  }
  if (packet.type == PacketType::kConnect) return OnConnect(packet);
  const auto member = sockets_.find(packet.name_space);
  if (member == sockets_.end() || !member->second->connected()) {
    return connection_.Close(DisconnectReason::kForcedClose);
  }
  const std::shared_ptr<MemberSocket> socket = member->second;
  OnMemberPacket(*socket, std::move(packet));
}

std::optional<size_t> ConnectionSockets::RateOf(const Packet& packet) const {
  // Leaving is never refused: less is to do after it.
  if (rules_.rates.empty() || packet.type == PacketType::kDisconnect) return std::nullopt;
  const bool is_event =
      packet.type == PacketType::kEvent || packet.type == PacketType::kBinaryEvent;
  if (!is_event || !packet.payload->front().is_string()) return 0;
  const auto own = rules_.event_rates.find(packet.payload->front().get_ref<const std::string&>());
  return own == rules_.event_rates.end() ? 0 : own->second;
}

void ConnectionSockets::OnOverRate(const Packet& packet, size_t rate) {
  const RateLimit& passed = rules_.rates[rate];
  const auto member = sockets_.find(packet.name_space);
  if (packet.type == PacketType::kConnect || member == sockets_.end()) {
    return connection_.Close(DisconnectReason::kLimit);  // there is nobody to tell
  }
  const std::shared_ptr<MemberSocket> socket = member->second;
  const bool is_event = packet.type == PacketType::kEvent || packet.type == PacketType::kBinaryEvent;
  if (is_event && socket->connected()) socket->OnOverRate(packet, passed);
  if (meters_[rate].refused() > passed.burst_max) connection_.Close(DisconnectReason::kLimit);
}

void ConnectionSockets::OnMemberPacket(MemberSocket& socket, Packet packet) {
  switch (packet.type) {
    case PacketType::kDisconnect:
      return Leave(socket, DisconnectReason::kClientNamespaceDisconnect);
    case PacketType::kEvent:
    case PacketType::kBinaryEvent:
      return socket.OnEvent(std::move(packet));
    case PacketType::kAck:
    case PacketType::kBinaryAck:
      return socket.OnAck(packet);
    case PacketType::kConnect:
    case PacketType::kConnectError:
      return;  // handled, or refused by the decoder
  }
}

// ---- joining and leaving

void ConnectionSockets::OnConnect(const Packet& packet) {
  if (sockets_.contains(packet.name_space)) {
    return connection_.Close(DisconnectReason::kForcedClose);
  }
  const auto handlers = rules_.namespaces.find(packet.name_space);
  if (handlers == rules_.namespaces.end()) {
    return SendConnectError(packet.name_space, {"Invalid namespace", Json()});
  }
  const auto socket = std::make_shared<MemberSocket>(*this, *handlers->second,
                                                     packet.payload.value_or(Json::object()));
  sockets_.emplace(packet.name_space, socket);
  RunMiddlewares(*socket, 0);
}

void ConnectionSockets::RunMiddlewares(MemberSocket& socket, size_t next) {
  const auto& middlewares = socket.handlers().middlewares();
  if (next == middlewares.size()) return Accept(socket);
  auto decided = std::make_shared<bool>(false);
  middlewares[next](socket, [this, weak = socket.weak_from_this(), next,
                             decided](std::optional<ConnectRefusal> refusal) {
    const std::shared_ptr<Socket> waiting = weak.lock();
    if (!waiting || std::exchange(*decided, true)) return;
    // A socket that has left was of a connection that may be gone, and these sockets with it.
    auto& member = static_cast<MemberSocket&>(*waiting);
    if (member.connecting()) Decide(member, next, std::move(refusal));
  });
}

void ConnectionSockets::Decide(MemberSocket& socket, size_t middleware,
                               std::optional<ConnectRefusal> refusal) {
  if (!refusal) return RunMiddlewares(socket, middleware + 1);
  const std::string name_space = socket.handlers().path();
  socket.BecomeLeft();
  sockets_.erase(name_space);
  SendConnectError(name_space, *refusal);
}

void ConnectionSockets::Accept(MemberSocket& socket) {
  connect_deadline_.Cancel();
  const Identity identity = socket.handlers().Identify(socket);
  socket.BecomeConnected(identity);
  Json payload = {{"sid", socket.id()}};
  if (!identity.pid.empty()) payload["pid"] = identity.pid;
  SendText(WritePlain(PacketType::kConnect, socket.handlers().path(), &payload));
  if (!socket.connected()) return;
  if (rules_.observer.connected) rules_.observer.connected(socket);
  socket.handlers().CallConnected(socket);
}

void ConnectionSockets::SendConnectError(std::string_view name_space,
                                         const ConnectRefusal& refusal) {
  Json payload = {{"message", refusal.message}};
  if (!refusal.data.is_null()) payload["data"] = refusal.data;
  SendText(WritePlain(PacketType::kConnectError, name_space, &payload));
}

void ConnectionSockets::Leave(MemberSocket& socket, DisconnectReason reason) {
  connection_.CompleteQueued();
  const auto member = sockets_.extract(socket.handlers().path());
  socket.BecomeLeft();
  if (rules_.observer.disconnected) rules_.observer.disconnected(socket, reason);
  socket.handlers().CallDisconnected(socket, reason);
}

// ---- the connection

void ConnectionSockets::Send(WrittenPacket packet, engineio::PacketEndingPtr ending, Tag tag) {
  connection_.SendText(engineio::MakeBody(std::move(packet.text), std::move(tag)),
                       std::move(ending));
  for (std::string& attachment : packet.attachments) {
    connection_.SendBinary(engineio::MakeBody(std::move(attachment)),
                           engineio::PacketPlace::kContinues);
  }
}

void ConnectionSockets::SendText(std::string text) { connection_.SendText(std::move(text)); }

void ConnectionSockets::OnDrained() {
  const std::map<std::string, std::shared_ptr<MemberSocket>> sockets = sockets_;
  for (const auto& [name_space, socket] : sockets) {
    socket->OnDrained();
  }
}

void ConnectionSockets::OnClose(DisconnectReason reason) {
  connect_deadline_.Cancel();
  attachments_deadline_.Cancel();
  decoder_.Reset();
  while (!sockets_.empty()) {
    const std::shared_ptr<MemberSocket> socket = sockets_.begin()->second;
    if (socket->connected()) {
      Leave(*socket, reason);
    } else {
      sockets_.erase(sockets_.begin());
      socket->BecomeLeft();
    }
  }
}

}  // namespace sessioncast::socketio
