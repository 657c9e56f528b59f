#include "tests/fuzz/connection/states.h"

#include <algorithm>
#include <iterator>

#include "edge/engineio/polling_transport.h"

namespace sessioncast::engineio {

void ConnectionPhases::Look(const Connection& connection, Note note) {
  using State = Connection::State;
  if (connection.state_ == State::kClosing) note("closing: the last poll is awaited");
  if (connection.state_ == State::kClosing && !connection.queue_.empty()) {
    note("closing: what is queued leaves with polls to come");
  }
  if (connection.polling_ != nullptr) {
    if (connection.polling_->get_) Remember(connection.polling_->get_);
    if (connection.polling_->post_) Remember(connection.polling_->post_);
  }
  if (connection.websocket_ != nullptr) Remember(connection.websocket_);
  if (connection.probing_ != nullptr) Remember(connection.probing_);
  if (connection.state_ != State::kOpen) return;
  if (connection.websocket_ != nullptr) {
    LookAtWebSocket(connection, note);
  } else {
    LookAtPolling(connection, note);
  }
  if (connection.awaits_pong_) note("a pong is awaited");
  if (connection.awaits_pong_ && connection.pong_was_prolonged_) note("a pong has got longer");
  if (connection.drain_mark_) note("the user waits for the queue to drain");
}

void ConnectionPhases::LookAtPolling(const Connection& connection, Note note) {
  const PollingTransport& polling = *connection.polling_;
  if (polling.get_ && polling.post_) note("polling: a poll and a post");
  if (polling.get_ && !polling.post_) note("polling: a poll waits");
  if (!polling.get_ && polling.post_) note("polling: a post is read");
  if (!polling.get_ && !polling.post_) note("polling: idle");
  if (!polling.get_ && polling.get_deadline_.pending()) note("polling: packets wait for a poll");
  if (connection.probing_ && !connection.is_probed_) note("upgrade: before its probe");
  if (connection.probing_ && connection.is_probed_) note("upgrade: probed");
}

void ConnectionPhases::LookAtWebSocket(const Connection& connection, Note note) {
  const WebSocketTransport& websocket = *connection.websocket_;
  note(connection.polling_ ? "websocket: after an upgrade" : "websocket: from the beginning");
  if (websocket.waits_writable_) note("websocket: the kernel takes no more");
  if (websocket.front_sent_ > 0) note("websocket: a part of a frame has left");
  if (websocket.waits_writable_ && connection.queue_.packets() > 1) {
    note("websocket: packets wait behind the kernel");
  }
}

void ConnectionPhases::LookAtRest(Note note) {
  std::erase_if(requests_, [](const auto& request) { return request.expired(); });
  std::erase_if(websockets_, [](const auto& websocket) { return websocket.expired(); });
  for (const auto& weak : requests_) {
    using Step = HttpConnection::Step;
    const std::shared_ptr<HttpConnection> request = weak.lock();
    if (request->step_ == Step::kHead) note("http: kept alive");
    if (request->step_ == Step::kBody) note("http: a body is read");
    if (request->step_ == Step::kAnswering) note("http: its answer is awaited");
    if (request->step_ == Step::kReplying) note("http: the kernel takes no more of a reply");
    if (request->step_ == Step::kLingering) note("http: lingers");
    if (request->half_closed_) note("http: half closed by the client");
  }
  for (const auto& weak : websockets_) {
    using Step = WebSocketTransport::Step;
    const std::shared_ptr<WebSocketTransport> websocket = weak.lock();
    if (websocket->step_ == Step::kFinishing) note("websocket: its rest waits for the kernel");
    if (websocket->step_ == Step::kLastFrame) note("websocket: its close waits for the kernel");
    if (websocket->step_ == Step::kShut) note("websocket: the client's close is awaited");
  }
}

void ConnectionPhases::Remember(const std::shared_ptr<HttpConnection>& http) {
  const bool is_known = std::any_of(requests_.begin(), requests_.end(),
                                    [&](const auto& known) { return known.lock() == http; });
  if (!is_known) requests_.push_back(http);
}

void ConnectionPhases::Remember(const std::shared_ptr<WebSocketTransport>& websocket) {
  const bool is_known = std::any_of(websockets_.begin(), websockets_.end(),
                                    [&](const auto& known) { return known.lock() == websocket; });
  if (!is_known) websockets_.push_back(websocket);
}

}  // namespace sessioncast::engineio

namespace sessioncast::fuzz {
namespace {

constexpr std::string_view kPhases[] = {
    "polling: idle",
    "polling: a poll waits",
    "polling: a post is read",
    "polling: a poll and a post",
    "polling: packets wait for a poll",
    "upgrade: before its probe",
    "upgrade: probed",
    "websocket: from the beginning",
    "websocket: after an upgrade",
    "websocket: the kernel takes no more",
    "websocket: a part of a frame has left",
    "websocket: packets wait behind the kernel",
    "websocket: its rest waits for the kernel",
    "websocket: its close waits for the kernel",
    "websocket: the client's close is awaited",
    "closing: the last poll is awaited",
    "closing: what is queued leaves with polls to come",
    "a pong is awaited",
    "a pong has got longer",
    "the user waits for the queue to drain",
    "http: kept alive",
    "http: a body is read",
    "http: its answer is awaited",
    "http: the kernel takes no more of a reply",
    "http: lingers",
    "http: half closed by the client",
    "http: moves to another thread",
    "http: another protocol",
    "handshake: waits for its turn",
    "rate: a message is refused",
    "sessions: live",
    "sessions: behind",
    "sessions: slow",
};

constexpr std::string_view kOutcomes[] = {
    "ended: transport close",
    "ended: transport error",
    "ended: ping timeout",
    "ended: parse error",
    "ended: forced close",
    "ended: slow consumer",
    "ended: connect timeout",
    "ended: limit",
    "ended: server shutting down",
    "ended: forced server close",
    "left: client namespace disconnect",
    "left: server namespace disconnect",
    "answer: 100",
    "answer: 101",
    "answer: 200",
    "answer: 204",
    "answer: 304",
    "answer: 400",
    "answer: 403",
    "answer: 404",
    "answer: 405",
    "answer: 408",
    "answer: 411",
    "answer: 413",
    "answer: 414",
    "answer: 415",
    "answer: 426",
    "answer: 429",
    "answer: 431",
    "answer: 503",
    "answer: 505",
    "close frame: none",
    "close frame: 1000",
    "close frame: 1002",
    "close frame: 1007",
    "close frame: 1008",
    "close frame: 1009",
    "close frame: of the client's own code",
};

}  // namespace

Reached& ReachedStates() {
  // For good: it is printed when the process exits.
  static Reached& reached = *new Reached([] {
    std::vector<std::string_view> all(std::begin(kPhases), std::end(kPhases));
    all.insert(all.end(), std::begin(kOutcomes), std::end(kOutcomes));
    return all;
  }());
  return reached;
}

}  // namespace sessioncast::fuzz
