// One Engine.IO session with a client, named by its sid: what it was opened with, its bounded
// queue, its heartbeat, the transport that moves its bytes (which an upgrade replaces), and its
// end.
//
// Threads: its I/O thread only.
// Invariants: packets leave in the order they were sent; each leaves by one transport, once. It
// ends once, through Close or Fail, with one reason; after that nothing is received and what is
// sent is dropped. The queue never holds more than queue_bytes_max and one packet: passing the
// limit ends the connection. (Endings are counted while they are computed, for one write's packets.)
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/engineio/disconnect_reason.h"
#include "edge/engineio/http.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/message_sink.h"
#include "edge/engineio/out_queue.h"
#include "edge/engineio/packet.h"
#include "edge/engineio/websocket_frame.h"

namespace sessioncast::engineio {

class Connection;
class HttpConnection;
class PollingTransport;
class WebSocketTransport;
struct TcpArrival;

struct ConnectionLimits {
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};
  std::chrono::milliseconds upgrade_timeout{10'000};
  std::chrono::milliseconds write_timeout{30'000};
  // After the end: for what is queued, and the close frame; for the client to close too; for the
  // poll that will hear of it.
  std::chrono::milliseconds last_frame_timeout{5'000};
  std::chrono::milliseconds client_close_timeout{1'000};
  std::chrono::milliseconds last_poll_timeout{30'000};
  size_t post_bytes_max = 1'000'000;
  size_t post_packets_max = 10'000;
  size_t poll_packets_max = 16;
  size_t queue_bytes_max = 16 * 1024 * 1024;
  int unsent_bytes_max = 16 * 1024;  // see Connection::SetUnsentMax
  FrameLimits frames;  // message_bytes_max counts for polling too
};

// What the client's first request said.
struct FirstRequest {
  std::string url;
  HttpFields headers;
  HttpFields query;
  std::string address;
  std::string transport;
  std::chrono::system_clock::time_point time;
};

// "sent" or "received", of each packet.
using PacketObserver = std::function<void(std::string_view sid, std::string_view direction,
                                          std::string_view type, size_t bytes)>;

// What a connection needs of the I/O thread that it lives on; outlives it.
class ConnectionHome {
 public:
  virtual ~ConnectionHome() = default;
  virtual IoThread& thread() = 0;
  virtual const ConnectionLimits& limits() const = 0;
  virtual const PacketObserver& packet_observer() const = 0;
  // Calls Flush at the end of this turn of the loop.
  virtual void FlushSoon(std::shared_ptr<Connection> connection) = 0;
  // The sid means nothing any more.
  virtual void Forget(const std::string& sid) = 0;
  // It has ended (its sid may still be known, until a last poll).
  virtual void OnEnded(const Connection& connection, DisconnectReason reason) = 0;
  // Counts what is queued for all its connections; null: nobody asks.
  virtual size_t* queued_total() { return nullptr; }
  // Something was queued.
  virtual void OnQueued() {}
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHome& home, std::string sid, FirstRequest first_request);
  ~Connection();

  // For whoever uses the connection.
  const std::string& sid() const { return sid_; }
  IoThread& thread() const;
  const FirstRequest& first_request() const { return first_request_; }
  // `ending`: null, or computed when the text leaves; on this thread, at the latest before OnClose.
  void SendText(PacketBodyPtr text, PacketEndingPtr ending = nullptr);
  void SendText(std::string text) { SendText(MakeBody(std::move(text))); }
  void SendBinary(PacketBodyPtr bytes, PacketPlace place = PacketPlace::kOwn);
  void SendBinary(std::string bytes) { SendBinary(MakeBody(std::move(bytes))); }
  // Computes the endings of what is queued now: whoever computes them goes.
  void CompleteQueued() { queue_.CompleteAll(); }
  // Drops what has not begun to leave and has a tag of which `is_dropped` says so, in order.
  void DropQueued(const std::function<bool(const PacketTag&)>& is_dropped);
  // The sink is told, in a later turn and once, when at most so many bytes are queued.
  void AwaitDrain(size_t queued_bytes);
  // How many bytes the kernel takes beyond what it has sent (TCP_NOTSENT_LOWAT): what is in its
  // hands can neither be dropped nor overtaken. Websocket only; a poll is one answer.
  void SetUnsentMax(int bytes);
  // Whether a packet that is sent now would leave at once.
  bool IsWritable() const;
  size_t queued_bytes() const { return queue_.bytes(); }
  bool is_open() const { return state_ == State::kOpen; }
  // The server ends it: what is queued still leaves, if the client takes it soon.
  void Close(DisconnectReason reason);

  // For the I/O thread's part of the engine.
  void OpenPolling(std::unique_ptr<MessageSink> sink, std::shared_ptr<HttpConnection> http);
  void OpenWebSocket(std::unique_ptr<MessageSink> sink, TcpArrival tcp, std::string response);
  bool uses_websocket() const { return websocket_ != nullptr; }
  void OnGet(std::shared_ptr<HttpConnection> http);
  void OnPost(std::shared_ptr<HttpConnection> http);
  // A websocket that wants to take over; `response` is its 101.
  void OnUpgradeRequest(TcpArrival tcp, std::string response);
  void Flush();

  // For its transports.
  const ConnectionLimits& limits() const;
  bool is_probed() const { return is_probed_; }
  // A packet arrived on the current transport. False: it is none that a client may send, and the
  // connection has failed.
  bool Receive(const Packet& packet);
  void OnProbePacket(const Packet& packet);
  void OnWebSocketLost(WebSocketTransport* websocket, DisconnectReason reason);
  void OnQueueTaken();
  void ObserveSent(const OutPacket& packet) const;
  // Something broke: what is queued is dropped, and the sid forgotten.
  void Fail(DisconnectReason reason);
  // The last poll of a closed connection has been answered.
  void OnLastPoll();

 private:
  friend class ConnectionPhases;  // tests look at them

  enum class State { kOpening, kOpen, kClosing, kClosed };
  enum class Ending { kFlushed, kAtOnce };

  std::string OpenPacketBody() const;
  void SendPacket(OutPacket packet);
  void SendPing();
  void ArmPing();
  void ArmPongDeadline();
  void OnPong();
  void CompleteUpgrade();
  void AbandonUpgrade();
  OutQueue::Iterator FirstUnsent();
  void End(DisconnectReason reason, Ending ending);
  void EndTransport(DisconnectReason reason, Ending ending);
  void Observe(std::string_view direction, PacketType type, size_t bytes) const;
  template <void (Connection::*Method)()>
  std::function<void()> Later();

  ConnectionHome& home_;
  const std::string sid_;
  const FirstRequest first_request_;
  State state_ = State::kOpening;
  std::unique_ptr<MessageSink> sink_;

  OutQueue queue_;
  std::optional<size_t> drain_mark_;
  int unsent_bytes_max_;
  bool flush_is_due_ = false;

  std::unique_ptr<PollingTransport> polling_;
  std::shared_ptr<WebSocketTransport> websocket_;  // the current transport, if it is there
  std::shared_ptr<WebSocketTransport> probing_;    // an upgrade that is not complete
  bool is_probed_ = false;                         // its probe was answered: polls end with a noop
  Timer upgrade_deadline_;

  bool awaits_pong_ = false;
  bool pong_was_prolonged_ = false;
  Timer heartbeat_;  // the next ping, or the deadline of its pong; after the end, of the last poll
};

}  // namespace sessioncast::engineio
