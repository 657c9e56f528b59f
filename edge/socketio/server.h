// A Socket.IO v5 server over Engine.IO v4 (polling, websocket, and the upgrade between them). Knows nothing of
// sessions or gRPC: this header is all that its user needs.
//
//   #include "edge/socketio/server.h"
//   using namespace sessioncast::socketio;
//
//   int main() {
//     Options options;
//     options.listen = "localhost:3000";
//     Server server(options);
//     server.Of("/").OnConnect([](Socket& socket) { socket.Emit("hello", {socket.id()}); });
//     server.Of("/").On("message", [](Socket& socket, const Json& arguments, Ack ack) {
//       socket.Emit("message-back", arguments);
//       ack(arguments);                            // does nothing if the client did not ask for one
//     });
//     server.Of("/").OnDisconnect([](Socket& socket, DisconnectReason reason) {});
//     if (absl::Status status = server.Start(); !status.ok()) { ... }
//     ...
//     server.Stop();
//   }
//
// Threads: Of, On..., Use..., AllowRequest only before Start. Handlers run on the I/O thread that owns the socket, one at a
// time for all sockets of that thread, and must not block. Everything of a Socket, and an Ack, is used on that thread
// only: from elsewhere, socket.thread().Post(...) with a std::weak_ptr<Socket>.
// Invariants: packets of a socket arrive in the order they were emitted; after OnDisconnect nothing of the socket is
// called again, and what is emitted to it is dropped.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "edge/engineio/disconnect_reason.h"
#include "edge/engineio/held.h"
#include "edge/engineio/http.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/out_queue.h"
#include "edge/engineio/rate.h"
#include "nlohmann/json.hpp"

namespace sessioncast::socketio {

using Json = nlohmann::json;  // binary attachments are Json::binary values
using engineio::DisconnectReason;
using engineio::Held;
using engineio::HttpHandler;
using engineio::HttpReply;
using engineio::HttpRequest;
using engineio::HttpResponse;
using engineio::IoThread;
using engineio::RateLimit;
using engineio::Timer;

// What the client's first HTTP request said, and the auth of its CONNECT to this namespace.
struct Handshake {
  std::string url;
  engineio::HttpFields headers;
  engineio::HttpFields query;
  Json auth;  // always an object
  std::string address;
  std::string transport;                       // of the first request: "polling" or "websocket"
  std::chrono::system_clock::time_point time;  // of the first request
};

// What the user wants to know an event by (see Socket::SetLastArgument, DropQueued); opaque here.
using Tag = engineio::PacketTag;

// An event made once and sent to many sockets, of any thread. Cheap to copy; immutable.
class EncodedEvent {
 public:
  // `arguments_json`: the arguments as JSON text, without brackets: `{"a":1},"b"`. Valid JSON is the caller's duty.
  static EncodedEvent FromJson(std::string_view name, std::string_view arguments_json, Tag tag = nullptr);
  // The packet as Socket.IO writes it for namespace "/": `2["name",{"a":1},"b"]`.
  const std::string& packet() const { return body_->bytes; }
  size_t bytes() const { return body_->bytes.size(); }
  const Tag& tag() const { return body_->tag; }

 private:
  friend class MemberSocket;
  explicit EncodedEvent(engineio::PacketBodyPtr body) : body_(std::move(body)) {}
  engineio::PacketBodyPtr body_;
};

// Answers an event that wanted an acknowledgement. The first call counts; without one, nothing is sent.
class Ack {
 public:
  Ack() = default;
  explicit Ack(std::function<void(const Json&)> send) : send_(std::move(send)) {}
  // Whether the client asked for one.
  bool wanted() const { return static_cast<bool>(send_); }
  // `arguments`: an array; the client's callback gets its elements.
  void operator()(const Json& arguments) {
    if (send_) std::exchange(send_, nullptr)(arguments);
  }

 private:
  std::function<void(const Json&)> send_;
};

// What a server's user keeps with a socket (session state, for example); goes with the socket.
class Attachment {
 public:
  virtual ~Attachment() = default;
};

// A connection's membership in a namespace.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  virtual ~Socket() = default;

  // 20 characters, public (it is not the Engine.IO sid), and unique, unless Namespace::UseRecovery gave it.
  virtual const std::string& id() const = 0;
  virtual const Handshake& handshake() const = 0;
  virtual IoThread& thread() const = 0;
  virtual bool connected() const = 0;
  // Whether it goes on where an earlier socket ended (Namespace::UseRecovery).
  virtual bool recovered() const = 0;

  // `arguments`: an array, whose elements are the event's arguments; anything else is its one argument.
  // Mind Json's braces: {{"a", 1}} is the object {"a":1}, {"a", 1} an array of two, {object} is the object itself or an
  // array of it, as the compiler has it: say Json::array({...}) or Json::object({...}) where it matters.
  void Emit(std::string_view name, const Json& arguments) { EmitTagged(name, arguments, nullptr); }
  virtual void EmitTagged(std::string_view name, const Json& arguments, Tag tag) = 0;
  virtual void Emit(const EncodedEvent& event) = 0;
  // With an acknowledgement: `done` gets the client's arguments, or a DeadlineExceeded or Unavailable status, or at once
  // ResourceExhausted when Options::awaited_acks_max are awaited.
  virtual void EmitWithAck(std::string_view name, const Json& arguments, std::chrono::milliseconds timeout,
                           std::function<void(absl::Status, const Json&)> done) = 0;
  // Dropped if the transport could not take it now.
  virtual void EmitVolatile(std::string_view name, const Json& arguments) = 0;

  // From now on each event that asks for no acknowledgement ends in one more argument, a string: what `compute` makes of
  // the event's tag at the moment when it leaves the queue. It is called for each in the order in which they leave, at the
  // latest before OnDisconnect; it must not use the socket. An empty string adds nothing. `take_back`: the event that was
  // computed last does not leave now (the kernel had no room): it is computed again, or dropped; the last one first.
  virtual void SetLastArgument(std::function<std::string(const Tag&)> compute,
                               std::function<void(const Tag&)> take_back = nullptr) = 0;

  // Bytes queued for the connection of this socket and not yet taken by the kernel (polling: by a GET).
  virtual size_t queued_bytes() const = 0;
  // Drops the connection's events that have not begun to leave and whose tag (not null) `is_dropped` says; asked in order.
  virtual void DropQueued(const std::function<bool(const Tag&)>& is_dropped) = 0;
  // OnDrained is called once, in a later turn, when queued_bytes() is at most so many. The highest of several counts.
  virtual void AwaitDrain(size_t queued_bytes) = 0;
  // Writes what is queued now, not at the end of this turn.
  virtual void Flush() = 0;
  // Options::unsent_bytes_max, of this connection; nothing: as in the options.
  virtual void SetUnsentMax(std::optional<int> bytes) = 0;

  // Leaves the namespace; the connection stays. The client does not come back by itself.
  virtual void Disconnect() = 0;
  // Ends the connection under all its sockets. The client comes back by itself.
  virtual void CloseConnection(DisconnectReason reason) = 0;

  void set_attachment(std::unique_ptr<Attachment> attachment) { attachment_ = std::move(attachment); }
  Attachment* attachment() const { return attachment_.get(); }

 private:
  std::unique_ptr<Attachment> attachment_;
};

// Why a middleware refused: the client gets `connect_error` with this message, and data if it is not null.
struct ConnectRefusal {
  std::string message;
  Json data;
};

// Who a socket is for a client that comes back (connection state recovery). The server keeps nothing of it.
struct Identity {
  std::string pid;         // private: the client presents it as auth.pid; empty: the client is told none
  std::string id;          // the socket's, 20 characters; empty: the one it has
  bool recovered = false;  // the client goes on where it was: its auth.pid was this pid
};

class Namespace {
 public:
  virtual ~Namespace() = default;
  using Next = std::function<void(std::optional<ConnectRefusal>)>;

  // Before a socket connects, in order; calls `next` once, then or later (on the same thread).
  virtual void Use(std::function<void(Socket&, Next next)> middleware) = 0;
  // When no middleware refused, and before the client hears of it: `identify` looks at what the client presents
  // (handshake().auth: pid, offset) and says who the socket is; it may attach what belongs to the socket. What was missed
  // is emitted in OnConnect, or later: the client gets it after the reply to its CONNECT.
  virtual void UseRecovery(std::function<Identity(Socket&)> identify) = 0;
  virtual void OnConnect(std::function<void(Socket&)> handler) = 0;
  // `arguments`: an array, without the event's name.
  virtual void On(std::string_view event, std::function<void(Socket&, const Json& arguments, Ack ack)> handler) = 0;
  // Events that no On has a handler for.
  virtual void OnOther(std::function<void(Socket&, const std::string& event, const Json& arguments, Ack ack)>) = 0;
  // In place of the event's handler, when the client has passed a rate (Options::message_rate, event_rates). If it goes
  // on, its connection ends ("limit", on a websocket 1008).
  virtual void OnOverRate(std::function<void(Socket&, const RateLimit& passed, Ack ack)> handler) = 0;
  virtual void OnDisconnect(std::function<void(Socket&, DisconnectReason)> handler) = 0;
  // What Socket::AwaitDrain waits for.
  virtual void OnDrained(std::function<void(Socket&)> handler) = 0;
};

// A file served under the path, as the reference serves its client: `<path>socket.io.js`.
struct ClientFile {
  std::string content_type;
  std::string body;
};

// Defaults are the reference server's, unless a line says otherwise.
struct Options {
  std::string listen = "localhost:3000";  // HOST:PORT; localhost: 127.0.0.1 and ::1; port 0: the system picks
  size_t io_threads = 1;                  // 1..64
  std::string path = "/socket.io/";       // the '/' at its end may be left out
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};
  std::chrono::milliseconds upgrade_timeout{10'000};
  std::chrono::milliseconds connect_timeout{45'000};
  size_t message_bytes_max = 1'000'000;      // one WebSocket message; announced as maxPayload
  size_t post_bytes_max = 1'000'000;         // one POST body
  size_t post_packets_max = 10'000;          // ours
  size_t message_fragments_max = 8'192;      // ours; WebSocket frames of one message
  size_t control_frames_max = 1'024;         // ours; WebSocket control frames in a row, without a message between them
  size_t poll_packets_max = 16;              // of one answer to a poll: python-engineio refuses more
  size_t json_depth_max = 64;                // ours
  size_t attachments_max = 10;               // of one event
  size_t attachments_bytes_max = 10'000'000;  // ours; of one event's attachments, each as often as the event places it
  // Ours; how often a connection may send events, acknowledgements and CONNECTs; 0: as often as it likes. Events of
  // these names have a rate of their own, and do not count as messages. Who goes on when it is refused, and was refused
  // burst_max times, is disconnected.
  RateLimit message_rate;
  std::map<std::string, RateLimit> event_rates;
  size_t awaited_acks_max = 1'000;           // ours; of one socket, see Socket::EmitWithAck
  size_t header_bytes_max = 8'192;           // request line and headers, each
  std::chrono::milliseconds header_timeout{5'000};
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds idle_timeout{65'000};         // a keep-alive TCP connection between requests
  std::chrono::milliseconds write_timeout{30'000};        // no byte taken for so long: "slow consumer"
  size_t queue_bytes_max = 16 * 1024 * 1024;              // over it the connection ends, "slow consumer"
  // What the kernel takes of a websocket's bytes beyond what it has sent (TCP_NOTSENT_LOWAT): they cannot be dropped.
  int unsent_bytes_max = 16 * 1024;
  int send_buffer_bytes = 0;  // of a TCP connection in the kernel (SO_SNDBUF); 0: as the system has it
  size_t connections_max = 100'000;                       // beyond it handshakes are answered 503
  size_t connections_per_address_max = 0;  // ours; beyond it handshakes are answered 429; 0: as many as there are
  // Ours; networks ("10.0.0.0/8") of proxies before the server: what they say in X-Forwarded-For is the client's address.
  std::vector<std::string> trusted_proxies;
  size_t queued_bytes_max = 0;  // ours; of all connections: beyond it the longest queues' end, "slow consumer"; 0: no limit
  size_t handshakes_per_s_max = 10'000;                   // ours; beyond it they wait, at most handshake_wait_max, else 503
  std::chrono::milliseconds handshake_wait_max{10'000};
  // Origins that may use the server from a browser ("https://app.example"; "*": any). `cors_default`: also the
  // server's own origin (Host) and loopback ones, or the list alone. An absent Origin is a program and always allowed here.
  std::vector<std::string> cors_origins;
  enum class CorsDefault { kListOnly, kOwnAndLoopback } cors_default = CorsDefault::kOwnAndLoopback;
  // Ends each Engine.IO sid, behind a dot, so that a balancer can tell whose it is: at most 16 of A-Z, a-z, 0-9, '-', '_'.
  std::string sid_suffix;
  std::string cookie;  // "io": the reply to a polling handshake sets this cookie to the sid; empty: none
  std::map<std::string, ClientFile> client_files;  // "socket.io.js" → file
  std::string client_version;                      // their ETag
};

// What happens beside packets, for logs; on I/O threads.
struct Observer {
  std::function<void(const Socket&)> connected;
  std::function<void(const Socket&, DisconnectReason)> disconnected;
  // Direction and Engine.IO packet type ("message", "ping"...), transport and size of each packet; null: not watched.
  std::function<void(std::string_view sid, std::string_view direction, std::string_view type, size_t bytes)> packet;
  // A connection has ended, also one that joined no namespace.
  std::function<void(std::string_view sid, DisconnectReason)> ended;
  // Somebody was turned away, or ended, for a limit of all together (Options::connections_max and so on).
  std::function<void(std::string_view limit, std::string_view what)> limit_reached;
  // A TCP connection was closed because it began with another protocol: "TLS", "HTTP/2" or "not HTTP".
  std::function<void(std::string_view address, std::string_view protocol)> other_protocol;
};

class Server {
 public:
  explicit Server(Options options, Observer observer = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The namespace of this path ("/", "/custom"), made if it is not there.
  Namespace& Of(std::string_view path);
  // Looks at each request that would open a connection; a text refuses it (403, code 4, with that text; on a websocket
  // 400). Answers at once, on I/O threads.
  void AllowRequest(std::function<std::optional<std::string>(const HttpRequest&)> refusal);
  // Requests outside Options::path (without one: 404).
  void OnRequest(HttpHandler handler);

  // Binds, starts the threads and returns; the error names the address.
  absl::Status Start();
  // The addresses it listens on, "127.0.0.1:3000", once started.
  std::vector<std::string> addresses() const;
  // The port it listens on, once started.
  uint16_t port() const;
  // Closes the listener, so that nobody new comes; what is connected stays.
  void StopAccepting();
  // Closes all transports (clients come back by themselves, elsewhere), and joins the threads.
  void Stop();

  // Since construction; in order of their index.
  const std::vector<std::unique_ptr<IoThread>>& threads() const;
  size_t connections() const;
  // What is held now. Asks each I/O thread and waits: by the thread that starts and stops it.
  Held CountHeld() const;
  // The part of one I/O thread, by that thread.
  Held CountHeldOf(const IoThread& thread) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sessioncast::socketio
