#include "tools/sessioncast/socket_probe.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "edge/engineio/packet.h"
#include "edge/socketio/packet.h"

namespace sessioncast::tool {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr size_t kPayloadPacketsMax = 10'000;
constexpr size_t kShownBytesMax = 200;

absl::Status Unexpected(std::string_view what, std::string_view shown) {
  return absl::FailedPreconditionError(
      absl::StrCat(std::string(what), ": ", std::string(shown.substr(0, kShownBytesMax))));
}

milliseconds Left(Clock::time_point end) {
  return std::max(std::chrono::duration_cast<milliseconds>(end - Clock::now()), milliseconds(1));
}

// An event "2[name, payload, offset?]" in a message of Engine.IO; nothing if it is none.
std::optional<SocketEvent> ToEvent(std::string_view message) {
  if (!message.starts_with("2[")) return std::nullopt;
  const json fields = ParseLeniently(message.substr(1));
  if (!fields.is_array() || fields.empty() || !fields[0].is_string()) return std::nullopt;
  SocketEvent event;
  event.name = fields[0];
  if (fields.size() > 1) event.payload = fields[1];
  if (fields.size() > 2 && fields[2].is_string()) event.offset = fields[2];
  return event;
}

}  // namespace

std::string SocketProbe::Target(std::string_view transport, std::string_view sid) const {
  std::string target = absl::StrCat("/socket.io/?EIO=4&transport=", std::string(transport));
  if (!sid.empty()) absl::StrAppend(&target, "&sid=", std::string(sid));
  return target;
}

absl::StatusOr<std::string> SocketProbe::Exchange(const WebRequest& request, milliseconds patience) {
  auto connection = WebConnection::Open(address_, limits_);
  if (!connection.ok()) return connection.status();
  const auto response = (*connection)->Ask(request, patience);
  if (!response.ok()) return response.status();
  if (response->code != 200) {
    return Unexpected(absl::StrCat(request.method, " is answered by ", response->code),
                      response->body);
  }
  return response->body;
}

absl::Status SocketProbe::OpenWebsocket(std::string_view sid) {
  auto connection = WebConnection::Open(address_, limits_);
  if (!connection.ok()) return connection.status();
  const auto response = (*connection)->Upgrade({.target = Target("websocket", sid)});
  if (!response.ok()) return response.status();
  if (response->code != 101) {
    return Unexpected(absl::StrCat("the websocket's handshake is answered by ", response->code),
                      response->body);
  }
  websocket_ = *std::move(connection);
  return absl::OkStatus();
}

absl::Status SocketProbe::TakeHandshake(std::string_view packet) {
  handshake_ = packet.starts_with("0{") ? ParseLeniently(packet.substr(1)) : json();
  if (!handshake_.is_object() || !handshake_.contains("sid") || !handshake_["sid"].is_string())
    return Unexpected("it answers, but not as Engine.IO 4", packet);
  sid_ = handshake_["sid"];
  return absl::OkStatus();
}

absl::Status SocketProbe::Open(Transport transport, const json& auth) {
  if (transport == Transport::kWebsocket) {
    if (absl::Status status = OpenWebsocket(""); !status.ok()) return status;
  }
  const auto packet = NextPacket(limits_.step);
  if (!packet.ok()) return packet.status();
  if (absl::Status status = TakeHandshake(*packet); !status.ok()) return status;
  return Connect(auth);
}

absl::Status SocketProbe::Connect(const json& auth) {
  if (absl::Status status = SendPacket("40" + auth.dump(-1, ' ', false, json::error_handler_t::replace)); !status.ok()) return status;
  auto answer = NextPacket(limits_.step);
  if (answer.ok() && *answer == "2") {
    if (absl::Status status = SendPacket("3"); !status.ok()) return status;
    answer = NextPacket(limits_.step);
  }
  if (!answer.ok()) return answer.status();
  if (answer->starts_with("44")) {
    const json error = ParseLeniently(std::string_view(*answer).substr(2));
    return absl::PermissionDeniedError(
        absl::StrCat("CONNECT is refused: ", Field<std::string>(error, "message", "no reason")));
  }
  connected_ = answer->starts_with("40{") ? ParseLeniently(std::string_view(*answer).substr(2))
                                          : json();
  if (!connected_.is_object()) return Unexpected("CONNECT is answered by", *answer);
  return absl::OkStatus();
}

absl::Status SocketProbe::Upgrade() {
  if (absl::Status status = OpenWebsocket(sid_); !status.ok()) return status;
  if (absl::Status status = websocket_->Send("2probe"); !status.ok()) return status;
  const auto answer = websocket_->Receive(limits_.step);
  if (!answer.ok()) return answer.status();
  if (*answer != "3probe") return Unexpected("the probe is answered by", *answer);
  return websocket_->Send("5");
}

absl::Status SocketProbe::SendPacket(std::string_view packet) {
  if (websocket_ != nullptr) return websocket_->Send(packet);
  return Exchange({.method = "POST",
                   .target = Target("polling", sid_),
                   .fields = {{"Content-Type", "text/plain;charset=UTF-8"}},
                   .body = std::string(packet)},
                  limits_.step)
      .status();
}

absl::StatusOr<std::string> SocketProbe::NextPacket(milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (packets_.empty()) {
    if (websocket_ != nullptr) return websocket_->Receive(Left(end));
    const auto payload = Exchange({.target = Target("polling", sid_)}, Left(end));
    if (!payload.ok()) return payload.status();
    const auto packets = engineio::SplitPayload(*payload, kPayloadPacketsMax);
    if (!packets) return Unexpected("a payload of too many packets", *payload);
    for (const std::string_view packet : *packets) packets_.emplace_back(packet);
  }
  std::string packet = std::move(packets_.front());
  packets_.pop_front();
  return packet;
}

absl::Status SocketProbe::Emit(std::string_view name, std::string_view argument) {
  return SendPacket("4" + socketio::WriteEvent({}, name, json::array({argument})).text);
}

absl::StatusOr<SocketEvent> SocketProbe::Next(milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (Clock::now() < end) {
    const auto packet = NextPacket(Left(end));
    if (!packet.ok()) return packet.status();
    if (*packet == "2") {
      if (absl::Status status = SendPacket("3"); !status.ok()) return status;
    } else if (*packet == "1" || *packet == "41") {
      return absl::UnavailableError("the server disconnects it");
    } else if (packet->starts_with("4")) {
      if (auto event = ToEvent(std::string_view(*packet).substr(1))) return *std::move(event);
    }
  }
  return absl::DeadlineExceededError("no event in time");
}

absl::StatusOr<SocketEvent> SocketProbe::NextOf(std::string_view name, milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (Clock::now() < end) {
    auto event = Next(Left(end));
    if (!event.ok() || event->name == name) return event;
    if (event->name == "error" && event->payload.is_object() && !event->payload.contains("sequence"))
      return absl::PermissionDeniedError(Field<std::string>(event->payload, "error", "refused"));
  }
  return absl::DeadlineExceededError(absl::StrCat("no event ", std::string(name), " in time"));
}

absl::Status SocketProbe::AwaitPing(milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (Clock::now() < end) {
    const auto packet = NextPacket(Left(end));
    if (!packet.ok()) return packet.status();
    if (*packet == "2") return SendPacket("3");
    if (*packet == "1") return absl::UnavailableError("the server closes it");
  }
  return absl::DeadlineExceededError("no ping in time");
}

void SocketProbe::Drop() {
  websocket_.reset();
  sid_.clear();
  packets_.clear();
}

}  // namespace sessioncast::tool
