// A client for tests that speaks HTTP and WebSocket byte by byte, so that it can also speak them
// wrongly.
//
// Blocking, with a deadline for everything that waits: what does not come in time is reported as
// absent. Each object belongs to one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sessioncast::tests {

inline constexpr std::chrono::milliseconds kPatience{10'000};

// A TCP connection to 127.0.0.1.
class RawTcp {
 public:
  explicit RawTcp(uint16_t port);
  ~RawTcp();
  RawTcp(RawTcp&& other) noexcept;
  RawTcp(const RawTcp&) = delete;

  bool Send(std::string_view bytes);
  // At least one more byte, added to buffer(); false: the end, an error, or nothing in time.
  bool ReadSome(std::chrono::milliseconds patience = kPatience);
  // Whether the other side ends the connection in time, whatever it sends before.
  bool ReadsEnd(std::chrono::milliseconds patience = kPatience);
  void ShutdownWriting();
  // Ends it with a reset.
  void Reset();
  void Close();
  std::string& buffer() { return buffer_; }
  // Whether the last ReadSome came to the end (or a reset), rather than to its deadline.
  bool ended() const { return ended_; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  bool ended_ = false;
  std::string buffer_;
};

struct RawResponse {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Reads one response of the connection.
RawResponse ReadResponse(RawTcp& tcp);

struct RawRequest {
  std::string method = "GET";
  std::string target;
  std::map<std::string, std::string> headers;
  std::string body;
};

// As bytes, with Host, and Content-Length if there is a body or it is a POST.
std::string Format(const RawRequest& request);
bool Send(RawTcp& tcp, const RawRequest& request);
// One request on a TCP connection of its own.
RawResponse Fetch(uint16_t port, const RawRequest& request);

struct RawFrame {
  uint8_t opcode = 0;
  bool fin = true;
  std::string payload;

  // Of a close frame; 1005 if it has none.
  uint16_t close_code() const;
};

// A client's frame; the payload is masked.
std::string FrameBytes(uint8_t first_byte, std::string_view payload);

class RawWebSocket {
 public:
  // Sends the upgrade request and reads the response.
  RawWebSocket(uint16_t port, std::string target, std::map<std::string, std::string> headers = {});

  const RawResponse& response() const { return response_; }
  bool SendText(std::string_view text);
  bool SendBinary(std::string_view bytes);
  bool SendBytes(std::string_view bytes) { return tcp_.Send(bytes); }
  // The next frame; nothing: the end, or nothing in time.
  std::optional<RawFrame> ReadFrame(std::chrono::milliseconds patience = kPatience);
  // The next text; "" if something else comes.
  std::string ReadText(std::chrono::milliseconds patience = kPatience);
  // The code of the close frame that comes, whatever comes before it; 0: none.
  uint16_t ReadClose();
  RawTcp& tcp() { return tcp_; }

 private:
  RawTcp tcp_;
  RawResponse response_;
};

}  // namespace sessioncast::tests
