// What a connection keeps between Socket.IO's texts and binary messages. An input is a payload of
// long-polling: texts, and binary messages in base64.
#include "edge/engineio/packet.h"
#include "edge/socketio/packet_decoder.h"
#include "tests/fuzz/json_measure.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using Result = absl::StatusOr<std::optional<socketio::Packet>>;

constexpr socketio::PacketLimits kLimits = {
    .json_depth_max = 8, .attachments_max = 4, .attachments_bytes_max = 64};

// The decoder, and what is known of it from outside.
class Checked {
 public:
  void Text(std::string_view text) {
    const bool was_due = due_ > 0;
    Result result = decoder_.ReadText(text);
    Require(!was_due || !result.ok(), "no text while attachments are due");
    if (result.ok() && !*result) {
      const absl::StatusOr<socketio::Packet> packet = socketio::ReadPacket(text, kLimits);
      Require(packet.ok() && packet->attachments > 0, "only attachments are waited for");
      due_ = packet->attachments;
      bytes_ = 0;
      Require(due_ <= kLimits.attachments_max, "attachments have a limit");
    } else {
      Finish(result);
    }
  }

  void Binary(std::string_view bytes) {
    const bool was_due = due_ > 0;
    Result result = decoder_.ReadBinary(bytes);
    bytes_ += bytes.size();
    Require(was_due || !result.ok(), "no binary where none is due");
    Require(bytes_ <= kLimits.attachments_bytes_max || !result.ok(), "they have a limit together");
    if (result.ok() && !*result) {
      Require(--due_ > 0, "the last one completes the packet");
    } else {
      Require(!result.ok() || due_ == 1, "only the last one completes the packet");
      Finish(result);
    }
  }

 private:
  void Finish(const Result& result) {
    due_ = 0;
    bytes_ = 0;
    if (result.ok() && (*result)->payload) {
      const socketio::Json& payload = *(*result)->payload;
      Require(DepthOf(payload) <= kLimits.json_depth_max, "depth has a limit");
      Require(BinaryBytesOf(payload) <= kLimits.attachments_bytes_max, "placed bytes have a limit");
    }
    if (!result.ok()) {
      const Result next = decoder_.ReadText("2[1]");
      Require(next.ok() && *next, "nothing is kept of what was refused");
    }
  }

  socketio::PacketDecoder decoder_{kLimits};
  size_t due_ = 0;
  size_t bytes_ = 0;
};

}  // namespace

std::vector<std::string> Seeds() {
  const std::string one = R"(451-["a",{"_placeholder":true,"num":0}])";
  const std::string two =
      R"(452-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])";
  const std::string next = "\x1e";
  return {"40",
          one + next + "bAQI=",
          two + next + "bAQI=" + next + "b" + next + R"(42["b"])",
          R"(461-7[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}])" + next + "bAQI=",
          one + next + R"(42["b"])",
          "bAQI=",
          R"(451-["a",{"_placeholder":true,"num":1}])" + next + "bAQI=",
          two + next + "b" + std::string(64, 'A') + next + "b" + std::string(24, 'A')};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  const std::string_view payload = fuzz::Text(bytes, size);
  const fuzz::HeapPeak peak;
  fuzz::Checked decoder;
  const auto texts = engineio::SplitPayload(payload, 1'000);
  if (!texts) return 0;
  for (const std::string_view text : *texts) {
    const std::optional<engineio::Packet> packet = engineio::DecodePacket(text);
    if (!packet || packet->type != engineio::PacketType::kMessage) continue;
    if (packet->format == engineio::PacketFormat::kText) {
      decoder.Text(packet->body);
    } else {
      decoder.Binary(packet->decoded);
    }
  }
  fuzz::Require(peak.bytes() <= 8'192 + 256 * size, "memory in proportion");
  return 0;
}
