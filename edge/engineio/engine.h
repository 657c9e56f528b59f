// An Engine.IO v4 server: listens, hands each TCP connection to the I/O thread that owns it, opens
// connections, and answers what is not Engine.IO's by a handler.
//
// Threads: constructed, started, counted and stopped by one thread, not an I/O thread;
// connections() and StopAccepting by any. The functions in its options are called on I/O threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "edge/engineio/address_count.h"
#include "edge/engineio/admission.h"
#include "edge/engineio/client_address.h"
#include "edge/engineio/connection.h"
#include "edge/engineio/held.h"
#include "edge/engineio/http.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/message_sink.h"
#include "edge/engineio/origin_policy.h"
#include "edge/engineio/static_files.h"

namespace sessioncast::engineio {

class EngineThread;
class Listener;

struct EngineOptions {
  std::string listen =
      "localhost:3000";   // HOST:PORT; localhost: 127.0.0.1 and ::1; port 0: the system picks
  size_t io_threads = 1;  // 1..64
  std::string path = "/socket.io/";  // the '/' at its end may be left out
  size_t connections_max = 100'000;  // beyond it handshakes are answered 503
  // Of one client address (CountedAddress); beyond it handshakes are answered 429; 0: as many as
  // there are.
  size_t connections_per_address_max = 0;
  std::vector<std::string> trusted_proxies;  // networks whose X-Forwarded-For is believed
  AdmissionOptions admission;        // beyond it they wait, then are answered 503
  // Of all connections together; each I/O thread has its part. Beyond it those with the longest
  // queues end ("slow consumer") until an eighth is free. 0: no limit.
  size_t queued_bytes_max = 0;
  int send_buffer_bytes = 0;         // of a TCP connection (SO_SNDBUF); 0: as the system has it
  ConnectionLimits connection;
  HttpLimits http;
  OriginPolicy origins;
  StaticFiles files;  // under the path
  // Makes the receiver of a connection that opens; may send at once.
  std::function<std::unique_ptr<MessageSink>(Connection&)> accept;
  // Why a request that would open a connection is refused; null: none is.
  std::function<std::optional<std::string>(const HttpRequest&)> refusal;
  // Ends each sid, behind a dot, so that a balancer can tell whose it is: at most 16 of A-Z, a-z, 0-9,
  // '-', '_'; empty: no ending.
  std::string sid_suffix;
  std::string cookie;      // set to the sid by the reply to a polling handshake; empty: none
  HttpHandler on_request;  // outside the path; null: 404
  PacketObserver on_packet;
  // A connection has ended, whether it was used or not; null: nobody asks.
  std::function<void(std::string_view sid, DisconnectReason)> on_ended;
  // Somebody was turned away, or ended, for a limit of all together.
  std::function<void(std::string_view limit, std::string_view what)> on_limit_reached;
  // A TCP connection began with another protocol, and was closed.
  std::function<void(std::string_view address, std::string_view protocol)> on_other_protocol;
};

class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Before Start only.
  EngineOptions& options() { return options_; }

  absl::Status Start();
  void StopAccepting();
  // Ends all connections ("server shutting down"), gives the last bytes a moment to leave, joins
  // the threads.
  void Stop();

  std::vector<std::string> addresses() const;
  uint16_t port() const;
  const std::vector<std::unique_ptr<IoThread>>& threads() const { return threads_; }
  size_t connections() const { return connections_.load(std::memory_order_relaxed); }
  // Asks each I/O thread, and waits for its answer.
  Held CountHeld() const;
  // One I/O thread's part; on that thread.
  Held CountHeldOf(size_t thread) const;

 private:
  friend class EngineThread;
  void Accept(TcpArrival arrival);

  EngineOptions options_;
  std::atomic<size_t> connections_{0};
  std::atomic<size_t> handshakes_{0};
  TrustedProxies proxies_;
  AddressCount connections_by_address_;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::vector<std::unique_ptr<EngineThread>> parts_;
  bool running_ = false;
};

}  // namespace sessioncast::engineio
