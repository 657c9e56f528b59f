// An Engine.IO packet: what is read and written again is the same, and base64 is read as a naive
// reader does.
#include <optional>

#include "edge/engineio/packet.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<std::string> NaiveBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  std::string decoded;
  uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    const size_t value = kDigits.find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    decoded.push_back(static_cast<char>(bits >> count));
  }
  return decoded;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {"",       "0{\"sid\":\"x\"}",
          "1",      "2probe",
          "3probe", "42[\"a\"]",
          "5",      "6",
          "7",      "a",
          " 4",     "b",
          "b#",     "bAQI",
          "bAQ==",  "bAQIDBA==",
          "bAQI=",  "bA===",
          "bAQ==="};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  using fuzz::Require;
  const std::string_view text = fuzz::Text(bytes, size);
  const std::optional<engineio::Packet> packet = engineio::DecodePacket(text);
  if (text.substr(0, 1) == "b") {
    const std::optional<std::string> naive = fuzz::NaiveBase64(text.substr(1));
    Require(packet.has_value() == naive.has_value(), "base64 is told from what is none");
    Require(!packet || packet->decoded == *naive, "base64 is read as it is");
  }
  if (!packet) return 0;
  const bool is_text = packet->format == engineio::PacketFormat::kText;
  Require(!engineio::ToString(packet->type).empty(), "the type has a name");
  Require(is_text || packet->type == engineio::PacketType::kMessage, "binary is a message");
  std::string written;
  engineio::AppendToPayload(packet->type, packet->format,
                            is_text ? packet->body : std::string_view(packet->decoded), written);
  Require(!is_text || written == text, "a text is written as it was read");
  const std::optional<engineio::Packet> again = engineio::DecodePacket(written);
  Require(again && again->type == packet->type && again->format == packet->format &&
              again->body == packet->body && again->decoded == packet->decoded,
          "what is written reads the same");
  return 0;
}
