// A payload of Engine.IO's long-polling: split at its separators and nowhere else, at most so many
// packets, and what is written again reads the same.
#include <algorithm>
#include <optional>

#include "edge/engineio/packet.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

constexpr size_t kPacketsMax = 8;

using Packets = std::vector<std::string_view>;

std::string Join(const Packets& packets) {
  std::string joined;
  for (const std::string_view packet : packets) {
    if (packet.data() != packets.front().data()) joined.push_back(engineio::kPacketSeparator);
    joined.append(packet);
  }
  return joined;
}

// Writes those that are packets, and reads them back.
void CheckWriting(const Packets& packets) {
  std::string written;
  std::vector<engineio::Packet> decoded;
  for (const std::string_view text : packets) {
    std::optional<engineio::Packet> packet = engineio::DecodePacket(text);
    if (!packet) continue;
    const bool is_text = packet->format == engineio::PacketFormat::kText;
    engineio::AppendToPayload(packet->type, packet->format,
                              is_text ? packet->body : std::string_view(packet->decoded), written);
    decoded.push_back(*std::move(packet));
  }
  if (decoded.empty()) return;
  const std::optional<Packets> again = engineio::SplitPayload(written, decoded.size());
  Require(again && again->size() == decoded.size(), "as many packets are read as were written");
  for (size_t i = 0; i < decoded.size(); ++i) {
    const std::optional<engineio::Packet> packet = engineio::DecodePacket((*again)[i]);
    Require(packet && packet->type == decoded[i].type && packet->body == decoded[i].body &&
                packet->decoded == decoded[i].decoded,
            "what is written reads the same");
  }
}

}  // namespace

std::vector<std::string> Seeds() {
  return {"",
          "40",
          "4a\x1e"
          "2",
          "4a\x1e",
          "\x1e\x1e",
          "451-[{\"_placeholder\":true,\"num\":0}]\x1e"
          "bAQI=",
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4\x1e"
          "4",
          "4hello\x1e"
          "bAP8=\x1e"
          "2"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  using fuzz::Require;
  const std::string_view payload = fuzz::Text(bytes, size);
  const size_t separators = std::count(payload.begin(), payload.end(), engineio::kPacketSeparator);
  const fuzz::HeapPeak peak;
  const std::optional<fuzz::Packets> packets = engineio::SplitPayload(payload, fuzz::kPacketsMax);
  Require(peak.bytes() <= 1'024, "splitting copies nothing");
  Require(packets.has_value() == (separators < fuzz::kPacketsMax), "the limit is kept");
  if (!packets) return 0;
  Require(packets->size() == separators + 1, "it is split at each separator");
  Require(fuzz::Join(*packets) == payload, "nothing is lost");
  fuzz::CheckWriting(*packets);
  return 0;
}
