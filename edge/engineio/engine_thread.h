// One I/O thread's part of the engine: its connections by sid, and the answers to the requests that
// it owns.
//
// Threads: its I/O thread only, except TakeAfterTurns (any I/O thread).
// Invariants: a sid's first character names the I/O thread, so a request finds its connection on
// the thread that owns it, or nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "edge/engineio/admission.h"
#include "edge/engineio/connection.h"
#include "edge/engineio/engine.h"
#include "edge/engineio/held.h"
#include "edge/engineio/http_connection.h"

namespace sessioncast::engineio {

class EngineThread : public ConnectionHome {
 public:
  EngineThread(Engine& engine, IoThread& thread);
  ~EngineThread() override;

  void Take(TcpArrival arrival);
  // By any I/O thread: Take, after what this thread's own sockets received before.
  void TakeAfterTurns(int turns, std::shared_ptr<TcpArrival> traveller);
  Held CountHeld() const;
  // Ends all connections; none is opened after it.
  void CloseAll();
  // When the I/O thread has ended: nothing of it is left in its loop.
  void Clear() { connections_.clear(); }

  IoThread& thread() override { return thread_; }
  const ConnectionLimits& limits() const override { return engine_.options_.connection; }
  const PacketObserver& packet_observer() const override { return engine_.options_.on_packet; }
  void FlushSoon(std::shared_ptr<Connection> connection) override;
  void Forget(const std::string& sid) override;
  void OnEnded(const Connection& connection, DisconnectReason reason) override;
  size_t* queued_total() override { return &queued_total_; }
  void OnQueued() override;

 private:
  struct EngineError;
  using HttpPointer = std::shared_ptr<HttpConnection>;
  // A handshake that is answered later. Bounded by the admission's wait.
  struct Waiting {
    Clock::time_point at;
    std::weak_ptr<HttpConnection> http;
    uint64_t request_number;
  };

  size_t OwnerOf(const RequestHead& head);
  void Answer(const HttpPointer& http);
  void AnswerPreflight(const HttpPointer& http);
  void AnswerForeign(const HttpPointer& http);
  void HandToUser(const HttpPointer& http);
  void AnswerEngine(const HttpPointer& http);
  void AnswerKnown(const HttpPointer& http, const std::shared_ptr<Connection>& connection);
  void AnswerHandshake(const HttpPointer& http);
  void AnswerWaiting();
  void OpenConnection(const HttpPointer& http);
  // `limit`: which one it met; also said in the answer, behind `why`.
  void TurnAway(const HttpPointer& http, unsigned status, std::string_view why,
                std::string_view limit);
  // False if the client's address has as many connections as it may.
  bool EnterAddress(const HttpPointer& http);
  void LeaveAddress(const std::string& address);
  std::optional<EngineError> Check(const RequestHead& head) const;
  std::optional<EngineError> CheckKnown(const RequestHead& head,
                                        const Connection& connection) const;
  std::optional<EngineError> CheckHandshake(const RequestHead& head) const;
  void Refuse(const HttpPointer& http, const EngineError& error);
  // The 101 of this request; if it asks for none that we speak, it is answered, and there is
  // nothing.
  std::optional<std::string> WebSocketResponse(const HttpPointer& http);
  std::shared_ptr<Connection> Open(const HttpPointer& http);
  std::string NewSid() const;
  void FlushSlice();
  // Ends those with the longest queues.
  void ShedQueues();

  Engine& engine_;
  IoThread& thread_;
  HttpConnection::Answerer answerer_;
  bool closed_ = false;
  size_t queued_total_ = 0;  // of the connections below, and of those that have ended lately
  bool sheds_queues_ = false;
  absl::flat_hash_map<std::string, std::shared_ptr<Connection>> connections_;
  Admission admission_;
  std::deque<Waiting> waiting_;  // the first to be answered in front
  Timer next_waiting_;
  std::vector<std::shared_ptr<Connection>> flush_list_;
  size_t flushed_ = 0;  // of flush_list_
};

}  // namespace sessioncast::engineio
