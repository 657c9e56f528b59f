// A WebSocket under a connection: reads its frames, and writes the connection's queue with as few
// system calls as possible.
//
// Reader: when there are bytes, they are read, and each frame that they complete is handed to the
// connection. Writer: when there is something to send, as much of it as fits goes out in one
// gathered write; when the kernel takes no more, the writer waits until it does.
//
// Threads: its connection's I/O thread only.
// Invariants: bytes of two frames never mix: what is sent ahead of the queue waits for the end of a
// frame that has begun. After Finish nothing is received; the TCP connection ends when all is sent
// and the client has closed, or at a deadline.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "edge/engineio/disconnect_reason.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/out_queue.h"
#include "edge/engineio/tcp_stream.h"
#include "edge/engineio/websocket_frame.h"

namespace sessioncast::engineio {

class Connection;
struct ConnectionLimits;

class WebSocketTransport : public std::enable_shared_from_this<WebSocketTransport> {
 public:
  // `response`: the handshake's, the first that is sent.
  WebSocketTransport(std::shared_ptr<Connection> connection, TcpArrival arrival,
                     std::string response);
  ~WebSocketTransport();

  // Begins to write and to read.
  void Start();
  // From now on the packets of this queue, the connection's, go out here.
  void SendFromQueue(OutQueue* queue) { queue_ = queue; }
  // Sends a packet ahead of the queue.
  void SendAhead(const OutPacket& packet);
  void Flush();
  // Nothing waits to be sent.
  bool IsWritable() const;
  // Whether a part of the queue's front packet has left.
  bool front_leaves() const { return front_sent_ > 0; }
  // See Connection::SetUnsentMax.
  void SetUnsentMax(int bytes) { stream_.SetUnsentMax(bytes); }

  // Drops what of the queue has not begun to leave.
  void DropUnsent(OutQueue& queue) const;
  // Sends the rest, then a close frame; receives nothing more.
  void Finish(uint16_t close_code, OutQueue rest);

 private:
  friend class ConnectionPhases;  // tests look at them

  enum class Step { kOpen, kFinishing, kLastFrame, kShut, kClosed };
  struct Gathered;

  void WaitReadable();
  void OnReadable();
  void ReadFrames(std::string_view bytes);
  void OnFrame(FrameEvent event);
  void OnPacket(FrameEvent event);
  // The transport has come to its end by itself, or by the client.
  void Lose(DisconnectReason reason, uint16_t close_code);
  void SendBytesAhead(std::string_view bytes);

  void Gather(Gathered& gathered) const;
  void GatherPacket(OutPacket& packet, size_t skip, Gathered& gathered) const;
  size_t OnWritten(size_t bytes);
  void TakeBackUnsent(size_t packets);
  size_t OnFrontWritten(size_t bytes);
  void WaitWritable();
  void OnAllWritten();
  void ShutDown();
  void CloseTcp();
  void ArmDeadline(std::chrono::milliseconds delay);
  void OnDeadline();

  IoThread& thread_;
  std::shared_ptr<Connection> connection_;  // null once it ended
  TcpStream stream_;
  const ConnectionLimits& limits_;
  FrameReader reader_;
  Step step_ = Step::kOpen;
  bool waits_writable_ = false;
  uint16_t close_code_ = close_code::kNone;
  std::string ahead_;               // whole frames that go before the queue
  OutQueue* queue_ = nullptr;       // null: the connection does not send here
  size_t front_sent_ = 0;           // bytes of the front packet's frame that are gone
  std::unique_ptr<OutQueue> rest_;  // what is left of the queue after Finish
  std::string early_bytes_;         // arrived with the handshake
  Timer deadline_;
};

}  // namespace sessioncast::engineio
