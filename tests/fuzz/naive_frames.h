// A reader of WebSocket's frames that is simple because it has all bytes at once: what the real one
// is held to. Pure.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/engineio/utf8.h"
#include "edge/engineio/websocket_frame.h"

namespace sessioncast::fuzz {

class NaiveFrames {
 public:
  NaiveFrames(std::string_view bytes, const engineio::FrameLimits& limits)
      : rest_(bytes), limits_(limits) {
    while (!ended_ && ReadFrame()) continue;
  }

  const std::vector<engineio::FrameEvent>& events() const { return events_; }

 private:
  using Kind = engineio::FrameEvent::Kind;

  // A frame's payload, or as much of it as is there.
  struct Payload {
    std::string bytes;
    bool is_whole = false;
  };

  // False: there is no more.
  bool ReadFrame() {
    if (rest_.size() < 2) return false;
    const int first = Byte(0);
    const int opcode = first & 0x0F;
    const bool is_final = (first & 0x80) != 0;
    const bool is_control = opcode >= 8;
    const int length = Byte(1) & 0x7F;
    const bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    const bool is_masked = (Byte(1) & 0x80) != 0;
    if ((first & 0x70) != 0 || !is_known || !is_masked) return End(1002);
    if (is_control && (!is_final || length > 125)) return End(1002);
    if (!is_control && (opcode == 0) != message_kind_.has_value()) return End(1002);
    const size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (rest_.size() < 2 + length_bytes + 4) return false;
    uint64_t size = length_bytes == 0 ? static_cast<uint64_t>(length) : 0;
    for (size_t i = 0; i < length_bytes; ++i) size = size << 8 | Byte(2 + i);
    rest_.remove_prefix(2 + length_bytes);
    if (is_control) return ReadControl(opcode, size);
    if (opcode != 0) message_kind_ = opcode == 1 ? Kind::kText : Kind::kBinary;
    return ReadData(size, is_final);
  }

  bool ReadControl(int opcode, uint64_t size) {
    if (++control_frames_ > limits_.control_frames_max) return End(1008);
    const Payload payload = Take(size);
    if (!payload.is_whole) return false;
    if (opcode == 8) return ReadClose(payload.bytes);
    return Add(opcode == 9 ? Kind::kPing : Kind::kPong, payload.bytes);
  }

  bool ReadClose(const std::string& payload) {
    if (payload.empty()) return End(0, Kind::kClose);
    if (payload.size() == 1) return End(1002);
    const int code = static_cast<uint8_t>(payload[0]) * 256 + static_cast<uint8_t>(payload[1]);
    const bool is_reserved = code == 1004 || code == 1005 || code == 1006;
    const bool is_standard = code >= 1000 && code <= 1014 && !is_reserved;
    if (!is_standard && (code < 3000 || code > 4999)) return End(1002);
    if (!engineio::IsUtf8(std::string_view(payload).substr(2))) return End(1007);
    return End(code, Kind::kClose);
  }

  bool ReadData(uint64_t size, bool is_final) {
    if (size > limits_.message_bytes_max - message_.size()) return End(1009);
    if (++fragments_ > limits_.fragments_max) return End(1008);
    const Payload payload = Take(size);
    message_ += payload.bytes;
    const bool is_text = message_kind_ == Kind::kText;
    if (is_text && !engineio::Utf8Check().Add(message_)) return End(1007);
    if (!payload.is_whole) return false;
    if (!is_final) return true;
    if (is_text && !engineio::IsUtf8(message_)) return End(1007);
    Add(*message_kind_, message_);
    message_kind_.reset();
    message_.clear();
    fragments_ = 0;
    control_frames_ = 0;
    return true;
  }

  Payload Take(uint64_t size) {
    const std::string_view mask = rest_.substr(0, 4);
    rest_.remove_prefix(4);
    Payload payload;
    payload.is_whole = size <= rest_.size();
    payload.bytes = rest_.substr(0, size);
    rest_.remove_prefix(payload.bytes.size());
    for (size_t i = 0; i < payload.bytes.size(); ++i) {
      payload.bytes[i] = static_cast<char>(payload.bytes[i] ^ mask[i % 4]);
    }
    return payload;
  }

  uint8_t Byte(size_t at) const { return static_cast<uint8_t>(rest_[at]); }

  bool Add(Kind kind, std::string payload) {
    events_.push_back({kind, std::move(payload), 0});
    return true;
  }

  bool End(int code, Kind kind = Kind::kBroken) {
    events_.push_back({kind, "", static_cast<uint16_t>(code)});
    ended_ = true;
    return false;
  }

  std::string_view rest_;
  const engineio::FrameLimits& limits_;
  std::vector<engineio::FrameEvent> events_;
  std::optional<Kind> message_kind_;  // nothing: no message has begun
  std::string message_;
  size_t fragments_ = 0;
  size_t control_frames_ = 0;
  bool ended_ = false;
};

}  // namespace sessioncast::fuzz
