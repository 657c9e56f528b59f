#include "edge/socketio/member_socket.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "absl/strings/escaping.h"
#include "edge/socketio/json_text.h"

namespace sessioncast::socketio {
namespace {

constexpr size_t kIdRandomBytes = 15;  // 20 characters

std::string NewId() {
  std::array<unsigned char, kIdRandomBytes> random;
  const int ok = RAND_bytes(random.data(), random.size());
  assert(ok == 1);
  return absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(random.data()), random.size()));
}

Handshake MakeHandshake(const engineio::FirstRequest& first, Json auth) {
  Handshake handshake;
  handshake.url = first.url;
  handshake.headers = first.headers;
  handshake.query = first.query;
  handshake.auth = std::move(auth);
  handshake.address = first.address;
  handshake.transport = first.transport;
  handshake.time = first.time;
  return handshake;
}

}  // namespace

MemberSocket::MemberSocket(ConnectionSockets& owner, const NamespaceHandlers& handlers, Json auth)
    : owner_(&owner),
      handlers_(handlers),
      thread_(owner.connection().thread()),
      id_(NewId()),
      handshake_(MakeHandshake(owner.connection().first_request(), std::move(auth))) {}

void MemberSocket::BecomeConnected(const Identity& identity) {
  state_ = State::kConnected;
  recovered_ = identity.recovered;
  if (!identity.id.empty()) id_ = identity.id;
}

void MemberSocket::SetLastArgument(std::function<std::string(const Tag&)> compute,
                                   std::function<void(const Tag&)> take_back) {
  engineio::PacketEnding ending;
  ending.compute = [compute = std::move(compute)](const Tag& tag) {
    const std::string argument = compute(tag);
    // In place of the bracket that closes the arguments.
    std::string text;
    if (argument.empty()) return text;
    constexpr size_t kAroundBytes = 4;  // , "" ]
    text.reserve(argument.size() + kAroundBytes);
    text.push_back(',');
    AppendQuoted(argument, text);
    text.push_back(']');
    return text;
  };
  ending.take_back = std::move(take_back);
  ending_ = std::make_shared<const engineio::PacketEnding>(std::move(ending));
}

void MemberSocket::EmitTagged(std::string_view name, const Json& arguments, Tag tag) {
  if (!connected()) return;
  owner_->Send(WriteEvent({handlers_.path(), std::nullopt}, name, arguments), ending_,
               std::move(tag));
}

void MemberSocket::Emit(const EncodedEvent& event) {
  if (!connected()) return;
  engineio::PacketBodyPtr body = event.body_;
  if (handlers_.path() != "/") {
    std::string text = body->bytes.substr(0, 1);
    text.append(handlers_.path()).append(",").append(body->bytes, 1);
    body = engineio::MakeBody(std::move(text), body->tag);
  }
  owner_->connection().SendText(std::move(body), ending_);
}

void MemberSocket::EmitWithAck(std::string_view name, const Json& arguments,
                               std::chrono::milliseconds timeout,
                               std::function<void(absl::Status, const Json&)> done) {
  if (!connected()) return done(absl::UnavailableError("socket has been disconnected"), Json());
  if (awaited_acks_.size() >= owner_->rules().awaited_acks_max) {
    return done(absl::ResourceExhaustedError("awaited_acks_max acknowledgements are awaited"),
                Json());
  }
  const uint64_t id = next_ack_id_++;
  AwaitedAck& awaited = awaited_acks_[id];
  awaited.done = std::move(done);
  awaited.deadline = thread_.After(timeout, [this, id, weak = weak_from_this()] {
    if (std::shared_ptr<Socket> self = weak.lock()) {
      FinishAck(id, absl::DeadlineExceededError("operation has timed out"), Json());
    }
  });
  owner_->Send(WriteEvent({handlers_.path(), id}, name, arguments));
}

void MemberSocket::EmitVolatile(std::string_view name, const Json& arguments) {
  if (connected() && owner_->connection().IsWritable()) EmitTagged(name, arguments, nullptr);
}

size_t MemberSocket::queued_bytes() const {
  return owner_ != nullptr ? owner_->connection().queued_bytes() : 0;
}

void MemberSocket::DropQueued(const std::function<bool(const Tag&)>& is_dropped) {
  if (owner_ != nullptr) owner_->connection().DropQueued(is_dropped);
}

void MemberSocket::AwaitDrain(size_t queued_bytes) {
  if (owner_ == nullptr) return;
  drain_mark_ = std::max(queued_bytes, drain_mark_.value_or(0));
  owner_->connection().AwaitDrain(*drain_mark_);
}

void MemberSocket::OnDrained() {
  if (!connected() || !drain_mark_) return;
  if (queued_bytes() > *drain_mark_) return owner_->connection().AwaitDrain(*drain_mark_);
  drain_mark_.reset();
  handlers_.CallDrained(*this);
}

void MemberSocket::Flush() {
  if (owner_ == nullptr) return;
  const std::shared_ptr<engineio::Connection> connection =
      owner_->connection().shared_from_this();
  connection->Flush();
}

void MemberSocket::SetUnsentMax(std::optional<int> bytes) {
  if (owner_ == nullptr) return;
  engineio::Connection& connection = owner_->connection();
  connection.SetUnsentMax(bytes.value_or(connection.limits().unsent_bytes_max));
}

void MemberSocket::Disconnect() {
  if (!connected()) return;
  owner_->SendText(WritePlain(PacketType::kDisconnect, handlers_.path(), nullptr));
  // Sending may have ended the connection, and the membership with it.
  if (connected()) owner_->Leave(*this, DisconnectReason::kServerNamespaceDisconnect);
}

void MemberSocket::CloseConnection(DisconnectReason reason) {
  if (owner_ != nullptr) owner_->connection().Close(reason);
}

void MemberSocket::BecomeLeft() {
  state_ = State::kLeft;
  owner_ = nullptr;
  const std::map<uint64_t, AwaitedAck> awaited = std::exchange(awaited_acks_, {});
  for (const auto& [id, ack] : awaited) {
    ack.done(absl::UnavailableError("socket has been disconnected"), Json());
  }
}

void MemberSocket::OnEvent(Packet packet) {
  Ack ack = AckFor(packet);
  Json arguments = *std::move(packet.payload);
  const Json name = std::move(arguments.front());
  arguments.erase(arguments.begin());
  handlers_.CallEvent(*this, name.is_string() ? name.get<std::string>() : JsonText(name), arguments,
                      std::move(ack));
}

void MemberSocket::OnOverRate(const Packet& packet, const RateLimit& passed) {
  handlers_.CallOverRate(*this, passed, AckFor(packet));
}

Ack MemberSocket::AckFor(const Packet& packet) {
  if (!packet.ack_id) return Ack();
  return Ack([weak = weak_from_this(), this, id = *packet.ack_id](const Json& arguments) {
    const std::shared_ptr<Socket> self = weak.lock();
    if (self && connected()) owner_->Send(WriteAck({handlers_.path(), id}, arguments));
  });
}

void MemberSocket::OnAck(const Packet& packet) {
  if (packet.ack_id) FinishAck(*packet.ack_id, absl::OkStatus(), *packet.payload);
}

void MemberSocket::FinishAck(uint64_t id, absl::Status status, const Json& arguments) {
  const auto awaited = awaited_acks_.find(id);
  if (awaited == awaited_acks_.end()) return;
  const AwaitedAck ack = std::move(awaited->second);
  awaited_acks_.erase(awaited);
  ack.done(std::move(status), arguments);
}

}  // namespace sessioncast::socketio
