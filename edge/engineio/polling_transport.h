// Long-polling: a GET that waits for packets, and a POST that brings some; one of each at a time.
//
// Threads: its connection's I/O thread only.
// Invariants: a request that it holds is answered or dropped before the connection is forgotten.
#pragma once

#include <memory>

#include "edge/engineio/http_connection.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/out_queue.h"
#include "edge/engineio/packet.h"

namespace sessioncast::engineio {

class Connection;

class PollingTransport {
 public:
  explicit PollingTransport(Connection& connection) : connection_(connection) {}

  void OnGet(std::shared_ptr<HttpConnection> http);
  void OnPost(std::shared_ptr<HttpConnection> http);
  // A GET after the connection was closed: what is queued, or else the news of the end.
  void OnLastGet(std::shared_ptr<HttpConnection> http, OutQueue& queue);

  // Answers the GET that waits, if there is something to answer.
  void Flush(OutQueue& queue);
  bool has_get() const { return get_ != nullptr; }
  // Answers the GET that waits, if there is one, with this packet alone.
  void EndGet(PacketType type);
  void DropPost();

 private:
  friend class ConnectionPhases;  // tests look at them

  void OnBody();
  void Deliver(const std::shared_ptr<HttpConnection>& http, std::string body);
  bool IsTooBig(std::string_view packet) const;
  void WatchClient(HttpConnection& http);
  void AwaitGet();
  std::string TakePayload(OutQueue& queue);

  Connection& connection_;
  std::shared_ptr<HttpConnection> get_;
  std::shared_ptr<HttpConnection> post_;
  Timer get_deadline_;  // while something waits for a GET
};

}  // namespace sessioncast::engineio
