#include "edge/engineio/websocket_frame.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "edge/engineio/packet.h"

namespace sessioncast::engineio {
namespace {

constexpr uint8_t kContinuation = 0x0;
constexpr uint8_t kPingFrame = 0x9;
constexpr uint8_t kReservedBits = 0x70;
constexpr size_t kControlPayloadMax = 125;

uint64_t ReadBigEndian(const uint8_t* bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return value;
}

bool IsCloseCode(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

FrameEvent FrameReader::Read(std::string_view& bytes) {
  while (true) {
    if (step_ == Step::kEnded) {
      bytes = {};
      return {};
    }
    if (step_ == Step::kHeader) {
      while (header_size_ < HeaderSize() && !bytes.empty()) {
        header_[header_size_++] = static_cast<uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        // Refused as soon as the first two bytes are there: the rest may never come.
        if (header_size_ == 2) {
          if (std::optional<uint16_t> code = CheckHeader(header_[1] & 0x7F)) return Break(*code);
        }
      }
      if (header_size_ < HeaderSize()) return {};
      if (std::optional<uint16_t> code = BeginFrame()) return Break(*code);
    }
    FrameEvent event = TakePayload(bytes);
    if (event.kind != FrameEvent::Kind::kNothing || step_ == Step::kPayload) return event;
  }
}

size_t FrameReader::HeaderSize() const {
  if (header_size_ < 2) return 2;
  const uint8_t length = header_[1] & 0x7F;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
}

std::optional<uint16_t> FrameReader::CheckHeader(uint64_t length) const {
  if ((header_[0] & kReservedBits) != 0) return close_code::kProtocolError;
  if ((header_[1] & 0x80) == 0) return close_code::kProtocolError;
  switch (opcode()) {
    case kCloseFrame:
    case kPingFrame:
    case kPongFrame:
      if (!is_final() || length > kControlPayloadMax) return close_code::kProtocolError;
      return std::nullopt;
    case kContinuation:
      if (message_opcode_ == 0) return close_code::kProtocolError;
      return std::nullopt;
    case kTextFrame:
    case kBinaryFrame:
      if (message_opcode_ != 0) return close_code::kProtocolError;
      return std::nullopt;
    default:
      return close_code::kProtocolError;
  }
}

std::optional<uint16_t> FrameReader::BeginFrame() {
  const uint8_t short_length = header_[1] & 0x7F;
  const size_t extra = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  remaining_ = extra == 0 ? short_length : ReadBigEndian(header_ + 2, extra);
  // The mask moves to where TakePayload finds it.
  std::memmove(header_ + 2, header_ + 2 + extra, 4);
  mask_offset_ = 0;
  step_ = Step::kPayload;
  if (is_control()) {
    if (++control_frames_ > limits_->control_frames_max) return close_code::kPolicy;
    return std::nullopt;
  }
  if (remaining_ > limits_->message_bytes_max - message_.size()) return close_code::kTooBig;
  if (opcode() != kContinuation) {
    message_opcode_ = opcode();
    fragments_ = 0;
    utf8_ = Utf8Check();
  }
  if (++fragments_ > limits_->fragments_max) return close_code::kPolicy;
  return std::nullopt;
}

FrameEvent FrameReader::TakePayload(std::string_view& bytes) {
  const size_t size = std::min<uint64_t>(remaining_, bytes.size());
  std::string& payload = is_control() ? control_ : message_;
  const size_t begin = payload.size();
  payload.append(bytes.substr(0, size));
  for (size_t i = begin; i < payload.size(); ++i) {
    payload[i] = static_cast<char>(payload[i] ^ header_[2 + mask_offset_]);
    mask_offset_ = (mask_offset_ + 1) % 4;
  }
  bytes.remove_prefix(size);
  remaining_ -= size;
  if (!is_control() && message_opcode_ == kTextFrame &&
      !utf8_.Add(std::string_view(payload).substr(begin))) {
    return Break(close_code::kBadPayload);
  }
  if (remaining_ > 0) return {};
  step_ = Step::kHeader;
  header_size_ = 0;
  return EndFrame();
}

FrameEvent FrameReader::EndFrame() {
  if (is_control()) return EndControlFrame();
  if (!is_final()) return {};
  const bool is_text = message_opcode_ == kTextFrame;
  if (is_text && !utf8_.complete()) return Break(close_code::kBadPayload);
  message_opcode_ = 0;
  control_frames_ = 0;
  FrameEvent event;
  event.kind = is_text ? FrameEvent::Kind::kText : FrameEvent::Kind::kBinary;
  event.payload = std::exchange(message_, {});
  return event;
}

FrameEvent FrameReader::EndControlFrame() {
  if (opcode() == kCloseFrame) return EndClose();
  FrameEvent event;
  event.kind = opcode() == kPingFrame ? FrameEvent::Kind::kPing : FrameEvent::Kind::kPong;
  event.payload = std::exchange(control_, {});
  return event;
}

FrameEvent FrameReader::EndClose() {
  FrameEvent event;
  event.kind = FrameEvent::Kind::kClose;
  if (control_.size() == 1) return Break(close_code::kProtocolError);
  if (!control_.empty()) {
    event.code =
        static_cast<uint16_t>(ReadBigEndian(reinterpret_cast<const uint8_t*>(control_.data()), 2));
    if (!IsCloseCode(event.code)) return Break(close_code::kProtocolError);
    if (!IsUtf8(std::string_view(control_).substr(2))) return Break(close_code::kBadPayload);
  }
  step_ = Step::kEnded;
  return event;
}

FrameEvent FrameReader::Break(uint16_t code) {
  step_ = Step::kEnded;
  message_ = {};
  control_ = {};
  FrameEvent event;
  event.kind = FrameEvent::Kind::kBroken;
  event.code = code;
  return event;
}

size_t WriteFrameHeader(uint8_t opcode, uint64_t payload_bytes, char* out) {
  out[0] = static_cast<char>(0x80 | opcode);
  size_t length_bytes = 0;
  if (payload_bytes <= kControlPayloadMax) {
    out[1] = static_cast<char>(payload_bytes);
  } else if (payload_bytes <= 0xFFFF) {
    out[1] = 126;
    length_bytes = 2;
  } else {
    out[1] = 127;
    length_bytes = 8;
  }
  for (size_t i = 0; i < length_bytes; ++i) {
    out[2 + i] = static_cast<char>(payload_bytes >> (8 * (length_bytes - 1 - i)));
  }
  return 2 + length_bytes;
}

std::string ControlFrame(uint8_t opcode, std::string_view payload) {
  char header[kFrameHeaderBytesMax];
  std::string frame(header, WriteFrameHeader(opcode, payload.size(), header));
  frame.append(payload);
  return frame;
}

std::string CloseFrame(uint16_t code) {
  if (code == close_code::kNone) return ControlFrame(kCloseFrame, {});
  const char payload[2] = {static_cast<char>(code >> 8), static_cast<char>(code)};
  return ControlFrame(kCloseFrame, std::string_view(payload, 2));
}

std::optional<std::string> AcceptKey(std::string_view key) {
  const std::optional<std::string> decoded = DecodeBase64(key);
  if (key.size() != 24 || !decoded || decoded->size() != 16) return std::nullopt;
  std::string text(key);
  text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::Base64Escape(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace sessioncast::engineio
