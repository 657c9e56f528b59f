// A client's TCP connection in memory: what it sends, and a strict reader of what the server
// writes: HTTP/1.1 responses, then WebSocket frames, Engine.IO and Socket.IO packets in both.
// Whatever is not as the RFCs and protocols say is a find.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/engineio/io_loop.h"

namespace sessioncast::fuzz {

// What clients learn of the server, all together.
struct Learnt {
  std::vector<std::string> sids;  // in the order in which they were told
};

class TcpClient {
 public:
  TcpClient(Learnt& learnt, size_t kernel_bytes_max);

  const std::shared_ptr<engineio::Pipe>& pipe() const { return pipe_; }
  bool has_sent() const { return has_sent_; }

  void Send(std::string_view bytes);
  // Sends the first `bytes` of it; the rest with SendRest.
  void SendPart(std::string_view text, size_t bytes);
  void SendRest();
  // Takes so many bytes from the kernel, and reads them.
  void Take(size_t bytes_max);

 private:
  enum class Mode { kHttp, kWebSocket, kUnchecked };

  bool ReadResponse();
  bool ReadFrame();
  void OnBody(unsigned status, std::string_view type, std::string_view body);
  void OnPayload(std::string_view payload);
  void OnPacket(std::string_view packet);
  void OnText(std::string_view text);
  void OnClose(std::string_view payload);

  Learnt& learnt_;
  std::shared_ptr<engineio::Pipe> pipe_;
  std::string rest_;
  std::string in_;
  Mode mode_ = Mode::kHttp;
  bool has_sent_ = false;
  bool ended_ = false;  // the server has said that nothing follows
};

}  // namespace sessioncast::fuzz
