// WebSocket's frames (RFC 6455), as a server reads and writes them, and the opening handshake's
// arithmetic. Pure.
//
// Our own reader, not Beast's: Beast 1.81 refuses lengths that are not minimal, answers an empty
// close with 1000 and bad UTF-8 in a close with 1002, accepts code 5000, and cannot be told how
// many fragments are too many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "edge/engineio/utf8.h"

namespace sessioncast::engineio {

namespace close_code {
inline constexpr uint16_t kNone = 0;  // a close frame without a code; the other side sees 1005
inline constexpr uint16_t kProtocolError = 1002;
inline constexpr uint16_t kBadPayload = 1007;
inline constexpr uint16_t kPolicy = 1008;
inline constexpr uint16_t kTooBig = 1009;
}  // namespace close_code

struct FrameLimits {
  size_t message_bytes_max = 1'000'000;
  size_t fragments_max = 8'192;       // of one message
  size_t control_frames_max = 1'024;  // in a row, without a message between them
};

// What was read: at most one of a message, a control frame, the end.
struct FrameEvent {
  enum class Kind { kNothing, kText, kBinary, kPing, kPong, kClose, kBroken };
  Kind kind = Kind::kNothing;
  std::string payload;                // of a message, a ping
  uint16_t code = close_code::kNone;  // of a close; of a broken stream: what to close with
};

// Reads a client's frames from bytes as they arrive.
// Invariants: keeps no more than message_bytes_max bytes; after kClose or kBroken it reads nothing
// more.
class FrameReader {
 public:
  explicit FrameReader(const FrameLimits* limits) : limits_(limits) {}

  // Takes bytes from the front of `bytes` until something was read; kNothing: all were taken.
  FrameEvent Read(std::string_view& bytes);

 private:
  enum class Step : uint8_t { kHeader, kPayload, kEnded };
  size_t HeaderSize() const;
  // Nothing if the header is valid.
  std::optional<uint16_t> BeginFrame();
  std::optional<uint16_t> CheckHeader(uint64_t length) const;
  FrameEvent TakePayload(std::string_view& bytes);
  FrameEvent EndFrame();
  FrameEvent EndControlFrame();
  FrameEvent EndClose();
  FrameEvent Break(uint16_t code);
  bool is_control() const { return (header_[0] & 0x08) != 0; }
  bool is_final() const { return (header_[0] & 0x80) != 0; }
  uint8_t opcode() const { return header_[0] & 0x0F; }

  const FrameLimits* limits_;
  Step step_ = Step::kHeader;
  uint8_t header_size_ = 0;     // bytes of header_ that are there
  uint8_t mask_offset_ = 0;     // into the mask, for the next byte of payload
  uint8_t message_opcode_ = 0;  // 0: no message has begun
  uint8_t header_[14];
  uint64_t remaining_ = 0;  // bytes of the frame's payload
  uint32_t fragments_ = 0;
  uint32_t control_frames_ = 0;
  Utf8Check utf8_;
  std::string message_;
  std::string control_;
};

inline constexpr uint8_t kTextFrame = 0x1;
inline constexpr uint8_t kBinaryFrame = 0x2;
inline constexpr uint8_t kCloseFrame = 0x8;
inline constexpr uint8_t kPongFrame = 0xA;

inline constexpr size_t kFrameHeaderBytesMax = 10;
// Writes the header of an unfragmented, unmasked frame; returns its size.
size_t WriteFrameHeader(uint8_t opcode, uint64_t payload_bytes, char* out);
// A whole control frame.
std::string ControlFrame(uint8_t opcode, std::string_view payload);
// A close frame with this code; kNone: empty.
std::string CloseFrame(uint16_t code);

// What Sec-WebSocket-Accept answers to a key; nothing if the key is not 24 characters of base64.
std::optional<std::string> AcceptKey(std::string_view key);

}  // namespace sessioncast::engineio
