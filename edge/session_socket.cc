#include "edge/session_socket.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "edge/access.h"
#include "edge/answer.h"
#include "edge/cursor.h"
#include "edge/hub.h"
#include "edge/recovery.h"
#include "edge/wire.h"
#include "proto/rules.h"
#include "spdlog/spdlog.h"
#include "tools/daemon/log_gate.h"

namespace sessioncast::edge {
namespace {

using socketio::Ack;
using socketio::EncodedEvent;
using socketio::Identity;
using socketio::Json;
using socketio::Socket;

constexpr char kInvalidSessionId[] = "invalid session id";

// How long before a token ends its client is told.
constexpr absl::Duration kExpiryNotice = absl::Seconds(60);
// The wall clock may be set meanwhile: it is looked at again.
constexpr absl::Duration kExpiryLookMax = absl::Minutes(10);

struct SubscribeRequest {
  std::string session_id;
  std::optional<Position> after;
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
  request.after = *std::move(position);
  return request;
}

class SessionSocket : public socketio::Attachment {
 public:
  SessionSocket(Socket& socket, SessionLine line, SessionSocketOptions options,
                const Access& access, Permit permit)
      : socket_(socket),
        access_(access),
        permit_(std::move(permit)),
        hub_(line.hub),
        answer_(std::move(line.answer)),
        options_(options),
        reader_(hub_.AddReader(socket)) {}

  ~SessionSocket() override { LeaveAll(); }

  // Who the client is; what it presents is taken up.
  Identity Identify() {
    if (!WantsRecovery(socket_.handshake())) return Identity();
    const std::string subject = permit_.identity();
    std::optional<Returning> returning = ReadReturning(socket_.handshake().auth, subject);
    if (options_.broken_rule == BrokenRule::kEmptyCursorRecovers && !returning) {
      const Json& auth = socket_.handshake().auth;
      if (IsPidOf(auth.value("pid", ""), subject)) returning = Returning{auth["pid"], {}};
    }
    Identity identity;
    identity.recovered = returning.has_value();
    identity.pid = returning ? returning->pid : FreshPid(subject);
    identity.id = SocketIdOf(identity.pid, subject);
    recovers_ = true;
    if (returning) returning_ = std::move(returning->entries);
    CarryCursor();
    return identity;
  }

  void Begin() {
    Emit("connected", ConnectedPayload(socket_.id(), Now()));
    TellOfExpiry();
    for (const CursorEntry& entry : std::exchange(returning_, {})) {
      if (!socket_.connected()) return;
      Resume(entry);
    }
  }

  void Subscribe(const Json& arguments, Ack ack) {
    const absl::StatusOr<SubscribeRequest> request = ToSubscribeRequest(arguments);
    if (!request.ok()) return Refuse("", std::string(request.status().message()), ack);
    const std::string& id = request->session_id;
    const auto held = subscriptions_.find(id);
    if (held == subscriptions_.end()) {
      if (const std::string why = WhyNoMore(id); !why.empty()) return Refuse(id, why, ack);
    }
    auto opened = [id, ack = std::move(ack)](const Position& from) mutable {
      ack(Json::array(
          {{{"ok", true}, {"sessionId", id}, {"epoch", from.epoch}, {"sequence", from.sequence}}}));
    };
    if (held != subscriptions_.end()) {
      return hub_.SubscribeAgain(*held->second, request->after, std::move(opened));
    }
    spdlog::info("Socket {} subscribed to session {}", socket_.id(), id);
    const Place from = request->after ? Place{Place::Kind::kAfter, *request->after}
                                      : Place{Place::Kind::kFold, {}};
    Hub::SubscriptionPtr subscription = hub_.Subscribe(reader_, id, from, std::move(opened));
    if (!socket_.connected()) {
      hub_.Unsubscribe(*subscription);
      return;
    }
    subscriptions_[id] = std::move(subscription);
    cursor_bytes_ += EntryBytesMax(id);
  }

  void Unsubscribe(const Json& arguments, Ack ack) {
    const std::string id = arguments.empty() ? std::string() : ValidId(arguments[0]);
    if (id.empty()) return Refuse("", kInvalidSessionId, ack);
    CursorMove move;
    move.session_id = id;
    if (subscriptions_.contains(id)) {
      move = Leave(id);
      spdlog::info("Socket {} unsubscribed from session {}", socket_.id(), id);
    }
    socket_.Emit(EncodedEvent::FromJson("unsubscribed", UnsubscribedPayload(id, Now()),
                                        std::make_shared<const CursorMove>(std::move(move))));
    ack(Json::array({{{"ok", true}, {"sessionId", id}}}));
  }

  void Answer(const Json& arguments, Ack ack) {
    absl::StatusOr<edge::Answer> answer = ToAnswer(arguments.empty() ? Json() : arguments[0]);
    if (!answer.ok()) return Refuse("", std::string(answer.status().message()), ack);
    if (const std::string why = WhyNotAnswer(permit_, answer->session_id); !why.empty()) {
      return Refuse(answer->session_id, why, ack);
    }
    answer_(*answer, [weak = socket_.weak_from_this(), answer = *answer,
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

  // Another token of the same client: from now on it is what counts.
  void RefreshToken(const Json& arguments, Ack ack) {
    const bool is_text = !arguments.empty() && arguments[0].is_string();
    const std::string token = is_text ? arguments[0].get<std::string>() : std::string();
    absl::StatusOr<Permit> permit = access_.OfToken(token, absl::FromChrono(Now()));
    if (permit.ok() && permit->identity() != permit_.identity()) {
      permit = absl::UnauthenticatedError("token: is of somebody else");
    }
    if (!permit.ok()) {
      return Refuse("", kUnauthorized, ack);
    }
    permit_ = *std::move(permit);
    TellOfExpiry();
    LeaveWhatIsNotAllowed();
    Json answer = {{"ok", true}};
    if (access_.asks()) answer["expiresAt"] = Timestamp(absl::ToChronoTime(permit_.expiry()));
    ack(Json::array({answer}));
  }

  void RefuseTooOften(const socketio::RateLimit& passed, Ack ack) {
    Refuse("", absl::StrCat("too often: at most ", passed.per_s_max, " a second, ",
                            passed.burst_max, " at once (", passed.name, ")"), ack);
  }

  void Drained() { hub_.Drained(*reader_); }

  void LeaveAll() {
    expiry_timer_.Cancel();
    for (const auto& [id, subscription] : std::exchange(subscriptions_, {})) {
      hub_.Unsubscribe(*subscription);
    }
  }

 private:
  static Time Now() { return std::chrono::system_clock::now(); }

  // As a subscribe after the entry's place would be: it may be refused.
  void Resume(const CursorEntry& entry) {
    const std::string& id = entry.session_id;
    if (const std::string why = WhyNoMore(id); !why.empty()) {
      CursorMove leaves;
      leaves.session_id = id;
      leaves.entry_before = EntryText(id, entry.place);
      return TellThatItLeft(std::move(leaves), why);
    }
    subscriptions_[id] = hub_.Resume(reader_, id, entry.place);
    cursor_bytes_ += EntryBytesMax(id);
  }

  // Ends a subscription.
  CursorMove Leave(const std::string& id) {
    const auto held = subscriptions_.find(id);
    const Hub::SubscriptionPtr subscription = held->second;
    subscriptions_.erase(held);
    cursor_bytes_ -= EntryBytesMax(id);
    hub_.AnswerAtOnce(*subscription);
    CursorMove move;
    move.session_id = id;
    move.entry_before = hub_.Unsubscribe(*subscription);
    return move;
  }

  void TellThatItLeft(CursorMove move, const std::string& why) {
    const std::string payload = ErrorPayload(move.session_id, why, Now());
    socket_.Emit(EncodedEvent::FromJson("error", payload,
                                        std::make_shared<const CursorMove>(std::move(move))));
  }

  // The token may cover less than the one before.
  void LeaveWhatIsNotAllowed() {
    std::vector<std::string> ids;
    for (const auto& [id, subscription] : subscriptions_) {
      if (!WhyNotView(permit_, id).empty()) ids.push_back(id);
    }
    for (const std::string& id : ids) TellThatItLeft(Leave(id), WhyNotView(permit_, id));
  }

  // Tells the client before its token ends, and ends the connection with it: the client comes back
  // by itself, with another one. Not before half of its time is over, so that a client whose tokens
  // are short is not told again at each one that it shows.
  void TellOfExpiry() {
    const absl::Time now = absl::FromChrono(Now());
    tell_of_expiry_at_ = std::max(permit_.expiry() - kExpiryNotice, now + (permit_.expiry() - now) / 2);
    AwaitExpiry();
  }

  void AwaitExpiry() {
    const absl::Time expiry = permit_.expiry();
    if (expiry == absl::InfiniteFuture()) return;
    const absl::Time now = absl::FromChrono(Now());
    if (now >= expiry) {
      spdlog::info("Socket {}: its token has expired", socket_.id());
      return socket_.CloseConnection(socketio::DisconnectReason::kForcedServerClose);
    }
    if (now >= tell_of_expiry_at_) {
      tell_of_expiry_at_ = absl::InfiniteFuture();  // once
      Emit("token_expiring", TokenExpiringPayload(absl::ToChronoTime(expiry), Now()));
    }
    const absl::Time next = std::min(expiry, tell_of_expiry_at_);
    expiry_timer_ = socket_.thread().After(
        absl::ToChronoNanoseconds(std::min(next - now, kExpiryLookMax)), [this] { AwaitExpiry(); });
  }

  // From now on each event ends in the client's cursor, as it is when the event leaves.
  void CarryCursor() {
    const auto cursor = std::make_shared<Cursor>();
    for (const CursorEntry& entry : returning_) {
      cursor->Set(entry.session_id, EntryText(entry.session_id, entry.place));
    }
    if (options_.broken_rule != BrokenRule::kNone) return CarryBrokenCursor(cursor);
    socket_.SetLastArgument(
        [cursor](const socketio::Tag& tag) {
          if (tag != nullptr) cursor->Move(*static_cast<const CursorMove*>(tag.get()));
          return cursor->Text();
        },
        [cursor](const socketio::Tag& tag) {
          if (tag != nullptr) cursor->TakeBack(*static_cast<const CursorMove*>(tag.get()));
        });
  }

  // As a test has it broken; see BrokenRule.
  void CarryBrokenCursor(const std::shared_ptr<Cursor>& cursor) {
    const BrokenRule rule = options_.broken_rule;
    if (rule == BrokenRule::kCursorAtEnqueue) {
      Hub::WatchQueued(*reader_, [cursor](const CursorMove& move) { cursor->Move(move); });
    }
    socket_.SetLastArgument(
        [cursor, rule, events = 0](const socketio::Tag& tag) mutable {
          if (tag == nullptr || rule == BrokenRule::kCursorAtEnqueue) return cursor->Text();
          const auto& move = *static_cast<const CursorMove*>(tag.get());
          cursor->Move(move);
          const bool is_notice = move.of == CursorMove::Of::kNotice;
          const bool is_bare =
              (rule == BrokenRule::kNoCursorOnSubscribed && is_notice && !move.entry.empty()) ||
              (rule == BrokenRule::kCursorOnSomeEvents && !is_notice && ++events % 5 != 0);
          return is_bare ? std::string() : cursor->Text();
        },
        [cursor, rule](const socketio::Tag& tag) {
          if (tag == nullptr || rule == BrokenRule::kCursorAtEnqueue) return;
          cursor->TakeBack(*static_cast<const CursorMove*>(tag.get()));
        });
  }

  // Why this socket may not subscribe to one more session; "": it may.
  std::string WhyNoMore(const std::string& id) const {
    if (std::string why = WhyNotView(permit_, id); !why.empty()) return why;
    if (subscriptions_.size() >= options_.sessions_max) {
      return absl::StrCat("too many sessions: at most ", options_.sessions_max,
                          " (sessions_max) on a connection");
    }
    constexpr size_t kVersionBytes = 1;
    if (recovers_ && kVersionBytes + cursor_bytes_ + EntryBytesMax(id) > kCursorBytesMax) {
      return absl::StrCat("too many sessions: their ids make a cursor of more than ",
                          kCursorBytesMax, " bytes (cursor_bytes_max); auth.recovery: false "
                          "does without one");
    }
    return {};
  }

  void Emit(std::string_view name, const std::string& payload) {
    socket_.Emit(EncodedEvent::FromJson(name, payload));
  }

  void Refuse(const std::string& session_id, const std::string& why, Ack& ack) {
    Emit("error", ErrorPayload(session_id, why, Now()));
    ack(Json::array({{{"error", why}}}));
  }

  Socket& socket_;
  const Access& access_;
  Permit permit_;
  absl::Time tell_of_expiry_at_;
  socketio::Timer expiry_timer_;
  Hub& hub_;
  const std::function<void(const edge::Answer&, std::function<void(AnswerOutcome)>)> answer_;
  const SessionSocketOptions options_;
  const Hub::ReaderPtr reader_;
  std::unordered_map<std::string, Hub::SubscriptionPtr> subscriptions_;
  bool recovers_ = false;
  std::vector<CursorEntry> returning_;  // until Begin
  size_t cursor_bytes_ = 0;             // what the entries of its subscriptions may come to
};

// Null once the socket has left.
SessionSocket* Of(Socket& socket) { return static_cast<SessionSocket*>(socket.attachment()); }

}  // namespace

void ServeSessions(socketio::Namespace& sockets, SessionSocketOptions options, const Access& access,
                   std::function<SessionLine(const socketio::IoThread&)> line_of) {
  const auto gate = std::make_shared<daemon::LogGate>();
  sockets.Use([options, &access, gate, line_of = std::move(line_of)](
                  Socket& socket, socketio::Namespace::Next next) {
    absl::StatusOr<Permit> permit = access.OfHandshake(socket.handshake(), absl::Now());
    if (permit.ok() && !MayConnect(*permit)) {
      permit = absl::UnauthenticatedError("token: its verbs have neither view nor answer");
    }
    if (!permit.ok()) {
      if (const std::optional<std::string> end = gate->Pass(socket.thread().now())) {
        spdlog::info("WebSocket client at {} refused: {}{}", socket.handshake().address,
                     std::string(permit.status().message()), *end);
      }
      return next(socketio::ConnectRefusal{kUnauthorized, nullptr});
    }
    socket.set_attachment(std::make_unique<SessionSocket>(socket, line_of(socket.thread()), options,
                                                          access, *std::move(permit)));
    next(std::nullopt);
  });
  sockets.UseRecovery([](Socket& socket) { return Of(socket)->Identify(); });
  sockets.OnConnect([](Socket& socket) {
    spdlog::info("WebSocket client {}: {} from {}", socket.recovered() ? "recovered" : "connected",
                 socket.id(), socket.handshake().address);
    Of(socket)->Begin();
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
  sockets.On("refresh_token", [](Socket& socket, const Json& arguments, Ack ack) {
    Of(socket)->RefreshToken(arguments, std::move(ack));
  });
  sockets.OnOverRate([](Socket& socket, const socketio::RateLimit& passed, Ack ack) {
    Of(socket)->RefuseTooOften(passed, std::move(ack));
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
