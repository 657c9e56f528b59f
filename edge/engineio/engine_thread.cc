#include "edge/engineio/engine_thread.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "edge/engineio/io_loop.h"
#include "edge/engineio/request_head.h"
#include "edge/engineio/utf8.h"
#include "edge/engineio/websocket_frame.h"

namespace sessioncast::engineio {
namespace {

constexpr std::string_view kSidAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kSidRandomBytes = 15;
constexpr size_t kSidCharacters = 20;
constexpr size_t kSidCharactersMax = 37;  // with a dot and a suffix (EngineOptions::sid_suffix)
// So many connections are flushed before the thread looks at its sockets and timers again.
constexpr size_t kFlushSlice = 64;
constexpr std::string_view kRevision = "4";
// A post overtakes what the thread's own sockets have received and the loop has not looked at yet.
// After so many turns it has: the one in which it was posted, which may be past its look at the
// sockets; one that looks; one that handles what it saw.
constexpr int kTurnsOfAMove = 3;

std::string_view Parameter(const RequestHead& head, std::string_view name) {
  return LastParameter(head.request.query, name).value_or(std::string_view());
}

HttpResponse JsonResponse(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = std::move(body);
  return response;
}

std::string JsonString(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : ReplaceBadUtf8(text)) {
    if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&quoted, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

HttpResponse PlainResponse(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "text/html"}};
  response.body = std::move(body);
  return response;
}

}  // namespace

// What is wrong with a request, as Engine.IO numbers it.
struct EngineThread::EngineError {
  unsigned status;
  int code;
  std::string message;
};

EngineThread::EngineThread(Engine& engine, IoThread& thread)
    : engine_(engine),
      thread_(thread),
      admission_(engine.options_.admission, engine.options_.io_threads) {
  answerer_.owner_of = [this](const RequestHead& head) { return OwnerOf(head); };
  answerer_.move_to = [this](size_t owner, TcpArrival arrival) {
    EngineThread& part = *engine_.parts_[owner];
    // std::function copies what it holds, so the arrival travels by pointer.
    part.TakeAfterTurns(kTurnsOfAMove, std::make_shared<TcpArrival>(std::move(arrival)));
  };
  answerer_.other_protocol = [this](std::string_view address, std::string_view protocol) {
    if (engine_.options_.on_other_protocol) engine_.options_.on_other_protocol(address, protocol);
  };
  answerer_.answer = [this](const HttpPointer& http) { Answer(http); };
}

EngineThread::~EngineThread() = default;

void EngineThread::Take(TcpArrival arrival) {
  std::make_shared<HttpConnection>(thread_, engine_.options_.http, answerer_, std::move(arrival))
      ->Start();
}

void EngineThread::TakeAfterTurns(int turns, std::shared_ptr<TcpArrival> traveller) {
  thread_.Post([this, turns, traveller] {
    if (turns > 1) return TakeAfterTurns(turns - 1, traveller);
    Take(std::move(*traveller));
  });
}

size_t EngineThread::OwnerOf(const RequestHead& head) {
  if (head.request.path.rfind(engine_.options_.path, 0) != 0) return thread_.index();
  const std::string_view sid = Parameter(head, "sid");
  const size_t threads = engine_.threads_.size();
  if (sid.empty()) return engine_.handshakes_++ % threads;
  const size_t value = kSidAlphabet.find(sid.front());
  return value == std::string_view::npos ? thread_.index() : value % threads;
}

std::string EngineThread::NewSid() const {
  std::array<unsigned char, kSidRandomBytes> random;
  const int ok = RAND_bytes(random.data(), random.size());
  assert(ok == 1);
  std::string sid = absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(random.data()), random.size()));
  // Of the characters that name this thread, one at random.
  const size_t threads = engine_.threads_.size();
  const size_t value = kSidAlphabet.find(sid.front()) / threads * threads + thread_.index();
  sid.front() = kSidAlphabet[value < kSidAlphabet.size() ? value : thread_.index()];
  assert(sid.size() == kSidCharacters);
  if (!engine_.options_.sid_suffix.empty()) absl::StrAppend(&sid, ".", engine_.options_.sid_suffix);
  return sid;
}

// ---- requests

void EngineThread::Answer(const HttpPointer& http) {
  HttpRequest& request = http->request();
  request.remote_address = engine_.proxies_.ClientOf(http->remote_address(), request.headers);
  const bool is_ours = request.path.rfind(engine_.options_.path, 0) == 0;
  if (IsSuspiciousPath(request.path)) {
    http->Reply(PlainResponse(404, "Not found"));
    return;
  }
  const OriginVerdict origin = JudgeOrigin(engine_.options_.origins, request.headers);
  if (origin == OriginVerdict::kAllowed) {
    http->set_reply_fields(CorsFields(engine_.options_.origins, request.headers));
  }
  if (request.method == "OPTIONS") return AnswerPreflight(http);
  if (is_ours) return AnswerEngine(http);
  if (origin != OriginVerdict::kAllowed) return Refuse(http, {403, 4, "Forbidden"});
  AnswerForeign(http);
}

void EngineThread::AnswerPreflight(const HttpPointer& http) {
  HttpResponse response;
  response.status = 204;
  const HttpFields& headers = http->request().headers;
  if (JudgeOrigin(engine_.options_.origins, headers) == OriginVerdict::kAllowed) {
    response.headers = PreflightFields(headers);
  }
  http->Reply(std::move(response));
}

void EngineThread::AnswerForeign(const HttpPointer& http) {
  if (!engine_.options_.on_request) {
    http->Reply(PlainResponse(404, "Not found"));
  } else if (http->head().content_length > engine_.options_.connection.post_bytes_max) {
    http->CloseAfterReply();
    HttpResponse response;
    response.status = 413;
    http->Reply(std::move(response));
  } else {
    http->ReadBody([this, weak = std::weak_ptr<HttpConnection>(http)] {
      if (HttpPointer reader = weak.lock()) HandToUser(reader);
    });
  }
}

void EngineThread::HandToUser(const HttpPointer& http) {
  HttpReply reply = [weak = std::weak_ptr<HttpConnection>(http),
                     number = http->request_number()](HttpResponse response) {
    const HttpPointer asker = weak.lock();
    if (asker && asker->request_number() == number) asker->Reply(std::move(response));
  };
  engine_.options_.on_request(thread_, http->request(), std::move(reply));
}

void EngineThread::AnswerEngine(const HttpPointer& http) {
  const RequestHead& head = http->head();
  const std::string_view name =
      std::string_view(head.request.path).substr(engine_.options_.path.size());
  if (!head.wants_websocket) {
    if (std::optional<HttpResponse> file = ServeFile(engine_.options_.files, name, head.request)) {
      http->Reply(*std::move(file));
      return;
    }
  }
  if (const std::optional<EngineError> error = Check(head)) return Refuse(http, *error);
  const std::string_view sid = Parameter(head, "sid");
  if (sid.empty()) return AnswerHandshake(http);
  const auto found = sid.size() <= kSidCharactersMax ? connections_.find(std::string(sid))
                                                     : connections_.end();
  if (found == connections_.end()) return Refuse(http, {400, 1, "Session ID unknown"});
  const std::shared_ptr<Connection> connection = found->second;
  AnswerKnown(http, connection);
}

std::optional<EngineThread::EngineError> EngineThread::Check(const RequestHead& head) const {
  const std::string_view transport = Parameter(head, "transport");
  if (transport != "polling" && transport != "websocket") {
    return EngineError{400, 0, "Transport unknown"};
  }
  switch (JudgeOrigin(engine_.options_.origins, head.request.headers)) {
    case OriginVerdict::kMalformed:
      return EngineError{400, 3, "Bad request"};
    case OriginVerdict::kForbidden:
      return EngineError{403, 4, "Forbidden"};
    case OriginVerdict::kAllowed:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<EngineThread::EngineError> EngineThread::CheckKnown(
    const RequestHead& head, const Connection& connection) const {
  const bool is_websocket = Parameter(head, "transport") == "websocket";
  const EngineError bad_request = {400, 3, "Bad request"};
  if (is_websocket != head.wants_websocket) return bad_request;
  if (!is_websocket && connection.uses_websocket()) return bad_request;
  if (Parameter(head, "EIO") != kRevision) return bad_request;
  return std::nullopt;
}

std::optional<EngineThread::EngineError> EngineThread::CheckHandshake(
    const RequestHead& head) const {
  const bool is_websocket = Parameter(head, "transport") == "websocket";
  if (head.request.method != "GET") return EngineError{400, 2, "Bad handshake method"};
  if (is_websocket != head.wants_websocket) return EngineError{400, 3, "Bad request"};
  if (engine_.options_.refusal) {
    std::optional<std::string> refusal = engine_.options_.refusal(head.request);
    if (refusal) return EngineError{403, 4, *std::move(refusal)};
  }
  if (LastParameter(head.request.query, "j")) return EngineError{400, 3, "Bad request"};
  if (Parameter(head, "EIO") != kRevision) {
    return EngineError{400, 5, "Unsupported protocol version"};
  }
  return std::nullopt;
}

void EngineThread::Refuse(const HttpPointer& http, const EngineError& error) {
  if (http->head().wants_websocket) {
    http->CloseAfterReply();
    http->Reply(PlainResponse(400, error.message));
    return;
  }
  http->Reply(JsonResponse(error.status, absl::StrCat("{\"code\":", error.code, ",\"message\":",
                                                      JsonString(error.message), "}")));
}

void EngineThread::AnswerKnown(const HttpPointer& http,
                               const std::shared_ptr<Connection>& connection) {
  const RequestHead& head = http->head();
  if (const std::optional<EngineError> error = CheckKnown(head, *connection)) {
    return Refuse(http, *error);
  }
  if (head.wants_websocket) {
    if (std::optional<std::string> response = WebSocketResponse(http)) {
      connection->OnUpgradeRequest(http->BecomeWebSocket(), *std::move(response));
    }
  } else if (head.request.method == "GET") {
    connection->OnGet(http);
  } else if (head.request.method == "POST") {
    connection->OnPost(http);
  } else {
    HttpResponse response;
    response.status = 405;
    response.headers = {{"Allow", "GET, POST"}};
    http->Reply(std::move(response));
  }
}

void EngineThread::AnswerHandshake(const HttpPointer& http) {
  const RequestHead& head = http->head();
  if (const std::optional<EngineError> error = CheckHandshake(head)) return Refuse(http, *error);
  const Clock::time_point now = thread_.now();
  const std::optional<Clock::time_point> at = admission_.Admit(now);
  if (!at.has_value()) return TurnAway(http, 503, "Too many handshakes", "handshakes_per_s_max");
  if (*at <= now) return OpenConnection(http);
  waiting_.push_back({*at, http, http->request_number()});
  if (!next_waiting_.pending()) next_waiting_ = thread_.At(*at, [this] { AnswerWaiting(); });
}

void EngineThread::AnswerWaiting() {
  while (!waiting_.empty() && (closed_ || waiting_.front().at <= thread_.now())) {
    const HttpPointer http = waiting_.front().http.lock();
    const uint64_t request_number = waiting_.front().request_number;
    waiting_.pop_front();
    if (http != nullptr && !http->closed() && http->request_number() == request_number)
      OpenConnection(http);
  }
  if (!waiting_.empty())
    next_waiting_ = thread_.At(waiting_.front().at, [this] { AnswerWaiting(); });
}

void EngineThread::TurnAway(const HttpPointer& http, unsigned status, std::string_view why,
                            std::string_view limit) {
  if (engine_.options_.on_limit_reached) {
    engine_.options_.on_limit_reached(limit, http->request().remote_address + " was turned away");
  }
  http->CloseAfterReply();
  HttpResponse response =
      PlainResponse(status, std::string(why).append(" (").append(limit).append(")"));
  response.headers.emplace_back("Retry-After", "1");
  http->Reply(std::move(response));
}

bool EngineThread::EnterAddress(const HttpPointer& http) {
  const size_t connections_max = engine_.options_.connections_per_address_max;
  return connections_max == 0 ||
         engine_.connections_by_address_.Enter(CountedAddress(http->request().remote_address),
                                               connections_max);
}

void EngineThread::LeaveAddress(const std::string& address) {
  if (engine_.options_.connections_per_address_max == 0) return;
  engine_.connections_by_address_.Leave(CountedAddress(address));
}

void EngineThread::OpenConnection(const HttpPointer& http) {
  if (closed_ || engine_.connections() >= engine_.options_.connections_max) {
    return TurnAway(http, 503, "Too many connections", "connections_max");
  }
  if (!EnterAddress(http)) {
    return TurnAway(http, 429, "Too many connections of one address",
                    "connections_per_address_max");
  }
  if (!http->head().wants_websocket) {
    const std::shared_ptr<Connection> connection = Open(http);
    if (!engine_.options_.cookie.empty()) {
      http->AddReplyField("Set-Cookie",
                          absl::StrCat(engine_.options_.cookie, "=", connection->sid(),
                                       "; Path=/; HttpOnly; SameSite=Lax"));
    }
    connection->OpenPolling(engine_.options_.accept(*connection), http);
    return;
  }
  if (std::optional<std::string> response = WebSocketResponse(http)) {
    const std::shared_ptr<Connection> connection = Open(http);
    connection->OpenWebSocket(engine_.options_.accept(*connection), http->BecomeWebSocket(),
                              *std::move(response));
  } else {
    LeaveAddress(http->request().remote_address);
  }
}

std::shared_ptr<Connection> EngineThread::Open(const HttpPointer& http) {
  const RequestHead& head = http->head();
  FirstRequest first;
  first.url = head.request.target;
  first.headers = head.request.headers;
  first.query = head.request.query;
  first.address = head.request.remote_address;
  first.transport = head.wants_websocket ? "websocket" : "polling";
  first.time = std::chrono::system_clock::now();
  std::string sid = NewSid();
  while (connections_.contains(sid)) sid = NewSid();
  auto connection = std::make_shared<Connection>(*this, sid, std::move(first));
  connections_.emplace(std::move(sid), connection);
  ++engine_.connections_;
  return connection;
}

std::optional<std::string> EngineThread::WebSocketResponse(const HttpPointer& http) {
  const HttpFields& headers = http->head().request.headers;
  http->CloseAfterReply();
  if (FindField(headers, "Sec-WebSocket-Version") != "13") {
    HttpResponse response = PlainResponse(426, "Upgrade Required");
    response.headers.emplace_back("Sec-WebSocket-Version", "13");
    http->Reply(std::move(response));
    return std::nullopt;
  }
  const std::optional<std::string> accept = AcceptKey(FindField(headers, "Sec-WebSocket-Key"));
  if (!accept || http->head().request.method != "GET") {
    http->Reply(PlainResponse(400, "Bad Request"));
    return std::nullopt;
  }
  HttpFields fields = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", *accept}};
  const std::string_view offered = FindField(headers, "Sec-WebSocket-Protocol");
  const std::string_view first = offered.substr(0, offered.find(','));
  if (!first.empty()) fields.emplace_back("Sec-WebSocket-Protocol", first);
  for (auto& field : CorsFields(engine_.options_.origins, headers)) fields.push_back(field);
  return FormatHead(101, fields);
}

// ---- connections

void EngineThread::FlushSoon(std::shared_ptr<Connection> connection) {
  flush_list_.push_back(std::move(connection));
  if (flush_list_.size() == 1) thread_.Post([this] { FlushSlice(); });
}

void EngineThread::FlushSlice() {
  const size_t end = std::min(flush_list_.size(), flushed_ + kFlushSlice);
  while (flushed_ < end) {
    const std::shared_ptr<Connection> connection = std::move(flush_list_[flushed_++]);
    connection->Flush();
  }
  if (flushed_ < flush_list_.size()) return thread_.Post([this] { FlushSlice(); });
  flush_list_.clear();
  flushed_ = 0;
}

void EngineThread::Forget(const std::string& sid) { connections_.erase(sid); }

void EngineThread::OnEnded(const Connection& connection, DisconnectReason reason) {
  --engine_.connections_;
  if (engine_.options_.on_ended) engine_.options_.on_ended(connection.sid(), reason);
  LeaveAddress(connection.first_request().address);
}

void EngineThread::OnQueued() {
  const size_t bytes_max = engine_.options_.queued_bytes_max;
  if (bytes_max == 0 || queued_total_ <= bytes_max / engine_.threads_.size()) return;
  if (!std::exchange(sheds_queues_, true)) thread_.Post([this] { ShedQueues(); });
}

void EngineThread::ShedQueues() {
  sheds_queues_ = false;
  const size_t bytes_max = engine_.options_.queued_bytes_max / engine_.threads_.size();
  if (queued_total_ <= bytes_max) return;  // the kernel has taken some meanwhile
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [sid, connection] : connections_) {
    if (connection->queued_bytes() > 0) all.push_back(connection);
  }
  const auto is_longer = [](const auto& a, const auto& b) {
    return a->queued_bytes() > b->queued_bytes();
  };
  std::sort(all.begin(), all.end(), is_longer);
  size_t ended = 0;
  while (ended < all.size() && queued_total_ > bytes_max - bytes_max / 8) {
    all[ended++]->Fail(DisconnectReason::kSlowConsumer);
  }
  if (ended > 0 && engine_.options_.on_limit_reached) {
    engine_.options_.on_limit_reached(
        "queued_bytes_max", absl::StrCat(ended, " connections with the longest queues were ended"));
  }
}

Held EngineThread::CountHeld() const {
  const IoThread::Loop& loop = thread_.loop();
  Held held{connections_.size(), loop.open_streams, loop.timers()};
  for (const auto& [sid, connection] : connections_)
    held.queued_bytes += connection->queued_bytes();
  return held;
}

void EngineThread::CloseAll() {
  closed_ = true;
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [sid, connection] : connections_) all.push_back(connection);
  for (const std::shared_ptr<Connection>& connection : all) {
    connection->Close(DisconnectReason::kServerShuttingDown);
  }
  AnswerWaiting();
}

}  // namespace sessioncast::engineio
