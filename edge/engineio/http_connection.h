// A TCP connection that speaks HTTP/1.1: reads a request, moves to the I/O thread that owns it,
// waits for the reply, goes on with the next one, or becomes a WebSocket.
//
// Threads: its I/O thread only; by moving it becomes another object on another thread.
// Invariants: one request at a time, one reply to it; what is buffered beyond it is bounded; every
// step has a deadline, except waiting for the reply, which is the replier's (unless the client
// writes nothing more: nothing else would end that wait if no reply came).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/engineio/http.h"
#include "edge/engineio/io_thread.h"
#include "edge/engineio/owned_descriptor.h"
#include "edge/engineio/request_head.h"
#include "edge/engineio/tcp_stream.h"

namespace sessioncast::engineio {

struct HttpLimits {
  size_t header_bytes_max = 8'192;
  std::chrono::milliseconds header_timeout{5'000};
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds idle_timeout{65'000};
  std::chrono::milliseconds write_timeout{30'000};
};

// A TCP connection on its way to an I/O thread.
struct TcpArrival {
  OwnedDescriptor descriptor;
  std::string remote_address;
  std::string bytes;                // read, and not yet used
  std::optional<RequestHead> head;  // of the request that made it move
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // Who answers on this I/O thread; outlives its connections.
  struct Answerer {
    // The index of the I/O thread that owns a request.
    std::function<size_t(const RequestHead&)> owner_of;
    // Takes a connection whose request another thread owns there.
    std::function<void(size_t owner, TcpArrival)> move_to;
    // Answers: with Reply, ReadBody and Reply, BecomeWebSocket, or Drop; now or later.
    std::function<void(const std::shared_ptr<HttpConnection>&)> answer;
    // The connection began with another protocol, and is closed.
    std::function<void(std::string_view address, std::string_view protocol)> other_protocol;
  };

  HttpConnection(IoThread& thread, const HttpLimits& limits, const Answerer& answerer,
                 TcpArrival arrival);
  ~HttpConnection();

  void Start();

  IoThread& thread() const { return thread_; }
  // The request that waits for its reply.
  const RequestHead& head() const { return *head_; }
  HttpRequest& request() { return head_->request; }
  const std::string& remote_address() const { return remote_address_; }
  // Tells requests of one connection apart.
  uint64_t request_number() const { return request_number_; }

  // These go with the reply to this request, whatever it is.
  void set_reply_fields(HttpFields fields) { reply_fields_ = std::move(fields); }
  void AddReplyField(std::string name, std::string value) {
    reply_fields_.emplace_back(std::move(name), std::move(value));
  }
  // Reads the body of the declared length into request().body, then calls `done`.
  void ReadBody(std::function<void()> done);
  // Called once if the client leaves before the reply.
  void OnGone(std::function<void()> gone) { gone_ = std::move(gone); }
  void Reply(HttpResponse response);
  // After the reply no further request is read.
  void CloseAfterReply() { keep_alive_ = false; }
  // The descriptor and the bytes behind the request; the connection is over.
  TcpArrival BecomeWebSocket();
  // Ends the TCP connection without a reply.
  void Drop();
  // At the server's end: idle connections close, the others after their reply.
  void Finish();
  bool closed() const { return step_ == Step::kClosed; }

 private:
  friend class ConnectionPhases;  // tests look at them

  enum class Step { kHead, kBody, kAnswering, kReplying, kLingering, kClosed };

  void WaitReadable();
  void OnReadable();
  void OnEnd();
  // Goes on with what is buffered; one call at a time.
  void Advance();
  bool ReadNextHead();
  void OnHead(ReadHead read);
  void MoveTo(size_t owner);
  void BeginAnswer();
  bool ReadRestOfBody();
  void ReplyBadRequest(unsigned status);
  void DropOtherProtocol(std::string_view protocol);
  void WriteReply();
  void OnReplyWritten();
  void Linger();
  void OnDeadline();
  void ArmDeadline(std::chrono::milliseconds delay);
  size_t BufferBytesMax() const;

  IoThread& thread_;
  const HttpLimits& limits_;
  const Answerer& answerer_;
  TcpStream stream_;
  const std::string remote_address_;

  Step step_ = Step::kHead;
  bool keep_alive_ = true;
  bool waiting_readable_ = false;
  bool half_closed_ = false;  // the client writes nothing more
  bool advancing_ = false;
  std::string in_;
  size_t searched_ = 0;  // bytes of in_ that ParseHead has seen
  std::optional<RequestHead> head_;
  uint64_t request_number_ = 0;
  HttpFields reply_fields_;
  std::function<void()> body_done_;
  std::function<void()> gone_;
  std::string out_;
  size_t out_sent_ = 0;
  size_t lingered_bytes_ = 0;
  Timer deadline_;
};

}  // namespace sessioncast::engineio
