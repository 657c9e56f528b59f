#include "edge/session_socket.h"

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "edge/answer.h"
#include "edge/hub.h"
#include "edge/wire.h"
#include "proto/rules.h"
#include "spdlog/spdlog.h"

namespace sessioncast::edge {
namespace {

using socketio::Ack;
using socketio::EncodedEvent;
using socketio::Json;
using socketio::Socket;

constexpr char kInvalidSessionId[] = "invalid session id";

struct SubscribeRequest {
  std::string session_id;
  From from;
};

// 1..128 of the id's characters; "" otherwise.
std::string ValidId(const Json& value) {
  if (!value.is_string()) return {};
  const std::string& id = value.get_ref<const std::string&>();
  return CheckId("session id", id).ok() ? id : std::string();
}

// {epoch: string, sequence: 0..2^63 - 1}.
absl::StatusOr<Position> ToPosition(const Json& value) {
  if (!value.is_object())
    return absl::InvalidArgumentError("invalid after: must be {epoch, sequence}");
  const auto epoch = value.find("epoch");
  if (epoch == value.end() || !epoch->is_string() ||
      epoch->get_ref<const std::string&>().size() > kIdBytesMax) {
    return absl::InvalidArgumentError(
        "invalid after.epoch: must be a string as in an event's payload");
  }
  const auto sequence = value.find("sequence");
  if (sequence == value.end() || !sequence->is_number_integer() ||
      (sequence->is_number_integer() && !sequence->is_number_unsigned() &&
       sequence->get<int64_t>() < 0) ||
      sequence->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return absl::InvalidArgumentError("invalid after.sequence: must be an integer of 0 or more");
  }
  return Position{epoch->get<std::string>(), sequence->get<uint64_t>()};
}

// A session id, or {sessionId, after: {epoch, sequence}}.
absl::StatusOr<SubscribeRequest> ToSubscribeRequest(const Json& arguments) {
  const Json none;
  const Json& what = arguments.empty() ? none : arguments[0];
  SubscribeRequest request;
  if (!what.is_object()) {
    request.session_id = ValidId(what);
  } else if (const auto id = what.find("sessionId"); id != what.end()) {
    request.session_id = ValidId(*id);
  }
  if (request.session_id.empty()) return absl::InvalidArgumentError(kInvalidSessionId);
  if (!what.is_object()) return request;
  const auto after = what.find("after");
  if (after == what.end() || after->is_null()) return request;
  absl::StatusOr<Position> position = ToPosition(*after);
  if (!position.ok()) return position.status();
  request.from = *std::move(position);
  return request;
}

class SessionSocket : public socketio::Attachment {
 public:
  SessionSocket(Socket& socket, Upstream& upstream, SessionSocketOptions options)
      : socket_(socket), upstream_(upstream), options_(options) {
    Emit("connected", ConnectedPayload(socket.id(), Now()));
  }

  ~SessionSocket() override { LeaveAll(); }

  void Subscribe(const Json& arguments, Ack ack) {
    const absl::StatusOr<SubscribeRequest> request = ToSubscribeRequest(arguments);
    if (!request.ok()) return Refuse("", std::string(request.status().message()), ack);
    const std::string& id = request->session_id;
    auto opened = [id, ack = std::move(ack)](const Position& from) mutable {
      ack(Json::array(
          {{{"ok", true}, {"sessionId", id}, {"epoch", from.epoch}, {"sequence", from.sequence}}}));
    };
    if (const auto held = subscriptions_.find(id); held != subscriptions_.end()) {
      return upstream_.hub().SubscribeAgain(*held->second, request->from, std::move(opened));
    }
    if (subscriptions_.size() >= options_.sessions_max) {
      return Refuse(id,
                    absl::StrCat("too many sessions: at most ", options_.sessions_max,
                                 " (sessions_max) on a connection"),
                    ack);
    }
    spdlog::info("Socket {} subscribed to session {}", socket_.id(), id);
    Hub::SubscriptionPtr subscription =
        upstream_.hub().Subscribe(socket_, id, request->from, std::move(opened));
    if (!socket_.connected()) return upstream_.hub().Unsubscribe(*subscription);
    subscriptions_[id] = std::move(subscription);
  }

  void Unsubscribe(const Json& arguments, Ack ack) {
    const std::string id = arguments.empty() ? std::string() : ValidId(arguments[0]);
    if (id.empty()) return Refuse("", kInvalidSessionId, ack);
    if (const auto held = subscriptions_.find(id); held != subscriptions_.end()) {
      const Hub::SubscriptionPtr subscription = held->second;
      subscriptions_.erase(held);
      upstream_.hub().AnswerAtOnce(*subscription);
      upstream_.hub().Unsubscribe(*subscription);
      spdlog::info("Socket {} unsubscribed from session {}", socket_.id(), id);
    }
    Emit("unsubscribed", UnsubscribedPayload(id, Now()));
    ack(Json::array({{{"ok", true}, {"sessionId", id}}}));
  }

  void Answer(const Json& arguments, Ack ack) {
    absl::StatusOr<edge::Answer> answer = ToAnswer(arguments.empty() ? Json() : arguments[0]);
    if (!answer.ok()) return Refuse("", std::string(answer.status().message()), ack);
    upstream_.Answer(answer->session_id, answer->clarification_id, answer->response,
                     [weak = socket_.weak_from_this(), answer = *answer,
                      ack = std::move(ack)](const AnswerOutcome& outcome) mutable {
                       const std::shared_ptr<Socket> socket = weak.lock();
                       if (socket == nullptr || !socket->connected()) return;
                       const AnswerReply reply = ToReply(answer, outcome);
                       if (reply.http_status != 200 && !ack.wanted()) {
                         socket->Emit(EncodedEvent::FromJson(
                             "error", ErrorPayload(answer.session_id, outcome.message, Now())));
                       }
                       ack(Json::array({reply.body}));
                     });
  }

  void Drained() {
    for (const auto& [id, subscription] : subscriptions_) upstream_.hub().Drained(*subscription);
  }

  void LeaveAll() {
    for (const auto& [id, subscription] : std::exchange(subscriptions_, {})) {
      upstream_.hub().Unsubscribe(*subscription);
    }
  }

 private:
  static Time Now() { return std::chrono::system_clock::now(); }

  void Emit(std::string_view name, const std::string& payload) {
    socket_.Emit(EncodedEvent::FromJson(name, payload));
  }

  void Refuse(const std::string& session_id, const std::string& why, Ack& ack) {
    Emit("error", ErrorPayload(session_id, why, Now()));
    ack(Json::array({{{"error", why}}}));
  }

  Socket& socket_;
  Upstream& upstream_;
  const SessionSocketOptions options_;
  std::unordered_map<std::string, Hub::SubscriptionPtr> subscriptions_;
};

// Null once the socket has left.
SessionSocket* Of(Socket& socket) { return static_cast<SessionSocket*>(socket.attachment()); }

}  // namespace

void ServeSessions(socketio::Namespace& sockets, SessionSocketOptions options,
                   std::function<Upstream&(const socketio::IoThread&)> upstream_of) {
  sockets.OnConnect([options, upstream_of = std::move(upstream_of)](Socket& socket) {
    spdlog::info("WebSocket client connected: {}", socket.id());
    socket.set_attachment(
        std::make_unique<SessionSocket>(socket, upstream_of(socket.thread()), options));
  });
  sockets.On("subscribe", [](Socket& socket, const Json& arguments, Ack ack) {
    Of(socket)->Subscribe(arguments, std::move(ack));
  });
  sockets.On("unsubscribe", [](Socket& socket, const Json& arguments, Ack ack) {
    Of(socket)->Unsubscribe(arguments, std::move(ack));
  });
  sockets.On("clarification_response", [](Socket& socket, const Json& arguments, Ack ack) {
    Of(socket)->Answer(arguments, std::move(ack));
  });
  sockets.OnDrained([](Socket& socket) {
    if (SessionSocket* session_socket = Of(socket)) session_socket->Drained();
  });
  sockets.OnDisconnect([](Socket& socket, socketio::DisconnectReason reason) {
    spdlog::info("WebSocket client disconnected: {} ({})", socket.id(), ToString(reason));
    if (SessionSocket* session_socket = Of(socket)) session_socket->LeaveAll();
  });
}

}  // namespace sessioncast::edge
