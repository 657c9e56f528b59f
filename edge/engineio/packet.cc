#include "edge/engineio/packet.h"

#include <algorithm>

#include "absl/strings/escaping.h"

namespace sessioncast::engineio {
namespace {

bool IsBase64Digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

}  // namespace

std::string_view ToString(PacketType type) {
  static constexpr std::string_view kNames[] = {"open",    "close",   "ping", "pong",
                                                "message", "upgrade", "noop"};
  return kNames[static_cast<char>(type) - '0'];
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string_view digits = text;
  for (int i = 0; i < 2 && !digits.empty() && digits.back() == '='; ++i) digits.remove_suffix(1);
  if (!std::all_of(digits.begin(), digits.end(), IsBase64Digit)) return std::nullopt;
  std::string decoded;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &decoded)) {
    return std::nullopt;
  }
  return decoded;
}

std::optional<Packet> DecodePacket(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Packet packet;
  if (text.front() == 'b') {
    std::optional<std::string> decoded = DecodeBase64(text.substr(1));
    if (!decoded) return std::nullopt;
    packet.format = PacketFormat::kBinary;
    packet.decoded = *std::move(decoded);
    return packet;
  }
  if (text.front() < '0' || text.front() > '6') return std::nullopt;
  packet.type = static_cast<PacketType>(text.front());
  packet.body = text.substr(1);
  return packet;
}

std::optional<std::vector<std::string_view>> SplitPayload(std::string_view payload,
                                                          size_t packets_max) {
  std::vector<std::string_view> packets;
  while (true) {
    if (packets.size() == packets_max) return std::nullopt;
    const size_t end = payload.find(kPacketSeparator);
    packets.push_back(payload.substr(0, end));
    if (end == std::string_view::npos) return packets;
    payload.remove_prefix(end + 1);
  }
}

void AppendToPayload(PacketType type, PacketFormat format, std::string_view body,
                     std::string& payload) {
  if (!payload.empty()) payload.push_back(kPacketSeparator);
  if (format == PacketFormat::kText) {
    payload.push_back(static_cast<char>(type));
    payload.append(body);
    return;
  }
  payload.push_back('b');
  std::string encoded;
  absl::Base64Escape(absl::string_view(body.data(), body.size()), &encoded);
  payload.append(encoded);
}

}  // namespace sessioncast::engineio
