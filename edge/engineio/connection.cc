#include "edge/engineio/connection.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/polling_transport.h"
#include "edge/engineio/websocket_transport.h"

namespace sessioncast::engineio {
namespace {

constexpr std::string_view kProbe = "probe";
// Of the sid, which is the client's credential, observers see enough to tell connections apart.
constexpr size_t kObservedSidCharacters = 8;

}  // namespace

template <void (Connection::*Method)()>
std::function<void()> Connection::Later() {
  return [weak = weak_from_this()] {
    if (std::shared_ptr<Connection> self = weak.lock()) (self.get()->*Method)();
  };
}

Connection::Connection(ConnectionHome& home, std::string sid, FirstRequest first_request)
    : home_(home),
      sid_(std::move(sid)),
      first_request_(std::move(first_request)),
      queue_(home.queued_total()),
      unsent_bytes_max_(home.limits().unsent_bytes_max) {}

Connection::~Connection() = default;

IoThread& Connection::thread() const { return home_.thread(); }

const ConnectionLimits& Connection::limits() const { return home_.limits(); }

// ---- opening

std::string Connection::OpenPacketBody() const {
  const bool can_upgrade = polling_ != nullptr;
  return absl::StrCat("{\"sid\":\"", sid_, "\",\"upgrades\":[", can_upgrade ? "\"websocket\"" : "",
                      "],\"pingInterval\":", limits().ping_interval.count(),
                      ",\"pingTimeout\":", limits().ping_timeout.count(),
                      ",\"maxPayload\":", limits().frames.message_bytes_max, "}");
}

void Connection::OpenPolling(std::unique_ptr<MessageSink> sink,
                             std::shared_ptr<HttpConnection> http) {
  sink_ = std::move(sink);
  state_ = State::kOpen;
  polling_ = std::make_unique<PollingTransport>(*this);
  SendPacket({.type = PacketType::kOpen, .body = MakeBody(OpenPacketBody())});
  ArmPing();
  polling_->OnGet(std::move(http));
}

void Connection::OpenWebSocket(std::unique_ptr<MessageSink> sink, TcpArrival tcp,
                               std::string response) {
  sink_ = std::move(sink);
  state_ = State::kOpen;
  websocket_ =
      std::make_shared<WebSocketTransport>(shared_from_this(), std::move(tcp), std::move(response));
  websocket_->SetUnsentMax(unsent_bytes_max_);
  websocket_->SendFromQueue(&queue_);
  SendPacket({.type = PacketType::kOpen, .body = MakeBody(OpenPacketBody())});
  ArmPing();
  websocket_->Start();
}

// ---- writing

void Connection::SendText(PacketBodyPtr text, PacketEndingPtr ending) {
  OutPacket packet{.body = std::move(text)};
  if (ending) {
    packet.completion = std::make_unique<PacketCompletion>();
    packet.completion->ending = std::move(ending);
  }
  SendPacket(std::move(packet));
}

void Connection::SendBinary(PacketBodyPtr bytes, PacketPlace place) {
  SendPacket({.format = PacketFormat::kBinary, .place = place, .body = std::move(bytes)});
}

OutQueue::Iterator Connection::FirstUnsent() {
  const bool front_leaves = websocket_ && websocket_->front_leaves();
  return front_leaves ? std::next(queue_.begin()) : queue_.begin();
}

void Connection::DropQueued(const std::function<bool(const PacketTag&)>& is_dropped) {
  queue_.DropIf(FirstUnsent(),
                [&](const PacketTag& tag) { return tag != nullptr && is_dropped(tag); });
}

void Connection::SetUnsentMax(int bytes) {
  unsent_bytes_max_ = bytes;
  if (websocket_) websocket_->SetUnsentMax(bytes);
}

void Connection::SendPacket(OutPacket packet) {
  if (state_ != State::kOpen) return;
  queue_.Push(std::move(packet));
  if (queue_.bytes() > limits().queue_bytes_max) return Fail(DisconnectReason::kSlowConsumer);
  home_.OnQueued();
  if (flush_is_due_) return;
  flush_is_due_ = true;
  home_.FlushSoon(shared_from_this());
}

void Connection::Flush() {
  flush_is_due_ = false;
  if (websocket_) {
    const std::shared_ptr<WebSocketTransport> websocket = websocket_;
    websocket->Flush();
  } else if (polling_) {
    polling_->Flush(queue_);
  }
}

void Connection::AwaitDrain(size_t queued_bytes) {
  drain_mark_ = std::max(queued_bytes, drain_mark_.value_or(0));
  if (queue_.bytes() <= *drain_mark_) thread().Post(Later<&Connection::OnQueueTaken>());
}

void Connection::OnQueueTaken() {
  if (!drain_mark_ || queue_.bytes() > *drain_mark_) return;
  drain_mark_.reset();
  if (state_ == State::kOpen) sink_->OnDrained();
}

bool Connection::IsWritable() const {
  if (state_ != State::kOpen || !queue_.empty()) return false;
  return websocket_ ? websocket_->IsWritable() : polling_->has_get();
}

// ---- reading

bool Connection::Receive(const Packet& packet) {
  if (state_ != State::kOpen) return true;
  Observe("received", packet.type, packet.body.size() + packet.decoded.size());
  if (awaits_pong_ && !pong_was_prolonged_ && packet.type != PacketType::kPong) {
    pong_was_prolonged_ = true;
    ArmPongDeadline();
  }
  switch (packet.type) {
    case PacketType::kMessage:
      if (packet.format == PacketFormat::kBinary) {
        sink_->OnBinary(packet.decoded);
      } else {
        sink_->OnText(packet.body);
      }
      return true;
    case PacketType::kPong:
      OnPong();
      return true;
    case PacketType::kUpgrade:
      return true;
    case PacketType::kClose:
      if (polling_ && !websocket_) polling_->EndGet(PacketType::kNoop);
      Fail(DisconnectReason::kTransportClose);
      return true;
    case PacketType::kOpen:
    case PacketType::kPing:
    case PacketType::kNoop:
      return false;
  }
  return false;
}

void Connection::OnGet(std::shared_ptr<HttpConnection> http) {
  if (state_ == State::kClosing) return polling_->OnLastGet(std::move(http), queue_);
  polling_->OnGet(std::move(http));
}

void Connection::OnPost(std::shared_ptr<HttpConnection> http) { polling_->OnPost(std::move(http)); }

// ---- heartbeat

void Connection::ArmPing() {
  awaits_pong_ = false;
  heartbeat_ = thread().After(limits().ping_interval, Later<&Connection::SendPing>());
}

void Connection::SendPing() {
  SendPacket({.type = PacketType::kPing});
  if (state_ != State::kOpen) return;
  awaits_pong_ = true;
  pong_was_prolonged_ = false;
  ArmPongDeadline();
}

void Connection::ArmPongDeadline() {
  heartbeat_ = thread().After(limits().ping_timeout, [weak = weak_from_this()] {
    if (std::shared_ptr<Connection> self = weak.lock()) self->Fail(DisconnectReason::kPingTimeout);
  });
}

void Connection::OnPong() { ArmPing(); }

// ---- upgrade

void Connection::OnUpgradeRequest(TcpArrival tcp, std::string response) {
  auto websocket =
      std::make_shared<WebSocketTransport>(shared_from_this(), std::move(tcp), std::move(response));
  if (websocket_ || probing_ || state_ != State::kOpen) {
    websocket->Finish(close_code::kNone, OutQueue());
    websocket->Start();
    if (state_ == State::kClosing) OnLastPoll();
    return;
  }
  probing_ = websocket;
  upgrade_deadline_ =
      thread().After(limits().upgrade_timeout, Later<&Connection::AbandonUpgrade>());
  websocket->Start();
}

void Connection::OnProbePacket(const Packet& packet) {
  if (packet.type == PacketType::kPing && packet.body == kProbe) {
    probing_->SendAhead({.type = PacketType::kPong, .body = MakeBody(std::string(kProbe))});
    is_probed_ = true;
    polling_->Flush(queue_);
  } else if (packet.type == PacketType::kUpgrade) {
    CompleteUpgrade();
  } else {
    AbandonUpgrade();
  }
}

void Connection::CompleteUpgrade() {
  polling_->EndGet(PacketType::kClose);
  upgrade_deadline_.Cancel();
  is_probed_ = false;
  websocket_ = std::exchange(probing_, nullptr);
  websocket_->SetUnsentMax(unsent_bytes_max_);
  websocket_->SendFromQueue(&queue_);
  // A pong that was asked for on the old transport is given its whole time on the new one.
  if (awaits_pong_) ArmPongDeadline();
  Flush();
}

void Connection::AbandonUpgrade() {
  upgrade_deadline_.Cancel();
  is_probed_ = false;
  if (probing_) std::exchange(probing_, nullptr)->Finish(close_code::kNone, OutQueue());
}

void Connection::OnWebSocketLost(WebSocketTransport* websocket, DisconnectReason reason) {
  if (websocket == probing_.get()) {
    upgrade_deadline_.Cancel();
    is_probed_ = false;
    probing_ = nullptr;
  } else if (websocket == websocket_.get()) {
    Fail(reason);
  }
}

// ---- the end

void Connection::Close(DisconnectReason reason) {
  const bool wait = reason != DisconnectReason::kServerShuttingDown;
  End(reason, wait ? Ending::kFlushed : Ending::kAtOnce);
}

void Connection::Fail(DisconnectReason reason) { End(reason, Ending::kAtOnce); }

void Connection::End(DisconnectReason reason, Ending ending) {
  if (state_ != State::kOpen) return;
  const std::shared_ptr<Connection> self = shared_from_this();
  state_ = State::kClosing;
  heartbeat_.Cancel();
  AbandonUpgrade();
  // Who computes endings may go with the sink's OnClose: what still leaves is completed before it.
  if (ending == Ending::kFlushed) {
    queue_.CompleteAll();
  } else if (websocket_) {
    websocket_->DropUnsent(queue_);
  } else {
    queue_.Clear();
  }
  home_.OnEnded(*this, reason);
  sink_->OnClose(reason);
  EndTransport(reason, ending);
}

void Connection::EndTransport(DisconnectReason reason, Ending ending) {
  if (websocket_) {
    const bool is_limit = reason == DisconnectReason::kLimit;
    websocket_->Finish(is_limit ? close_code::kPolicy : close_code::kNone, queue_.TakeAll());
    OnLastPoll();
  } else if (ending == Ending::kAtOnce) {
    polling_->EndGet(PacketType::kClose);
    polling_->DropPost();
    OnLastPoll();
  } else if (polling_->has_get() && queue_.packets() < limits().poll_packets_max) {
    queue_.Push({.type = PacketType::kClose});
    polling_->Flush(queue_);
    OnLastPoll();
  } else {
    // What is queued leaves with the polls to come, the close behind it.
    if (!queue_.empty()) polling_->Flush(queue_);
    heartbeat_ = thread().After(limits().last_poll_timeout, Later<&Connection::OnLastPoll>());
  }
}

void Connection::OnLastPoll() {
  state_ = State::kClosed;
  heartbeat_.Cancel();
  queue_.Clear();
  home_.Forget(sid_);
}

// ---- observing

void Connection::ObserveSent(const OutPacket& packet) const {
  Observe("sent", packet.type, packet.size());
}

void Connection::Observe(std::string_view direction, PacketType type, size_t bytes) const {
  const PacketObserver& observer = home_.packet_observer();
  if (!observer) return;
  observer(std::string_view(sid_).substr(0, kObservedSidCharacters), direction, ToString(type),
           bytes);
}

}  // namespace sessioncast::engineio
