// Engine.IO v4's packets, and the payloads that long-polling puts them in. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sessioncast::engineio {

enum class PacketType : char {
  kOpen = '0',
  kClose = '1',
  kPing = '2',
  kPong = '3',
  kMessage = '4',
  kUpgrade = '5',
  kNoop = '6',
};

enum class PacketFormat : char { kText, kBinary };

// "open", "close", "ping" ...
std::string_view ToString(PacketType type);

// A packet read; `body` (without the type digit) lives as long as the text it was read from, or as
// `decoded`.
struct Packet {
  PacketType type = PacketType::kMessage;
  PacketFormat format = PacketFormat::kText;
  std::string_view body;
  std::string decoded;  // of a binary packet in text form
};

// A packet as text: a type digit and the body, or `b` and base64. Nothing if it is none.
std::optional<Packet> DecodePacket(std::string_view text);

inline constexpr char kPacketSeparator = '\x1e';

// The packets of a payload, not yet decoded; nothing if there are more than `packets_max`.
std::optional<std::vector<std::string_view>> SplitPayload(std::string_view payload,
                                                          size_t packets_max);

// Adds a packet to a payload, with the separator if it is not the first.
void AppendToPayload(PacketType type, PacketFormat format, std::string_view body,
                     std::string& payload);

// Base64 with padding; nothing if the text is anything else. The bits that a last digit has beyond
// the last byte are not looked at.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace sessioncast::engineio
