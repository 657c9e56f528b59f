// Socket.IO v5's packets, read and written. Pure.
//
// Reading is linear in the size of what is read, writing in the size of what is written; deep JSON
// is refused before a tree is made of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace sessioncast::socketio {

using Json = nlohmann::json;

enum class PacketType : char {
  kConnect = '0',
  kDisconnect = '1',
  kEvent = '2',
  kAck = '3',
  kConnectError = '4',
  kBinaryEvent = '5',
  kBinaryAck = '6',
};

struct Packet {
  PacketType type = PacketType::kConnect;
  size_t attachments = 0;  // that follow; only of the binary types
  std::string name_space = "/";
  std::optional<uint64_t> ack_id;
  std::optional<Json> payload;
};

struct PacketLimits {
  size_t json_depth_max = 64;
  size_t attachments_max = 10;
  size_t attachments_bytes_max = 10'000'000;  // of one packet, together
};

// A packet that a client may send; INVALID_ARGUMENT if it is none.
absl::StatusOr<Packet> ReadPacket(std::string_view text, const PacketLimits& limits);

// Puts the attachments where the payload has placeholders for them. One may be placed several
// times; attachments_bytes_max counts each of them.
absl::Status FillAttachments(const std::vector<std::string>& attachments,
                             const PacketLimits& limits, Json& payload);

// JSON (RFC 8259) of at most this depth, without anything before or behind it; INVALID_ARGUMENT if
// it is anything else.
absl::StatusOr<Json> ParseJson(std::string_view text, size_t depth_max);

// A packet as it is sent: a text, and the binary messages that follow it.
struct WrittenPacket {
  std::string text;
  std::vector<std::string> attachments;
};

// Where a packet goes to, and which acknowledgement it asks for or is.
struct Destination {
  std::string_view name_space = "/";
  std::optional<uint64_t> ack_id;
};

// `arguments`: an array, without the name; anything else is the one argument.
WrittenPacket WriteEvent(const Destination& to, std::string_view name, const Json& arguments);
// `arguments`: as WriteEvent's.
WrittenPacket WriteAck(const Destination& to, const Json& arguments);
// A text as JSON, in quotes.
std::string WriteString(std::string_view text);
// A packet without binary; `payload` null: none.
std::string WritePlain(PacketType type, std::string_view name_space, const Json* payload);

}  // namespace sessioncast::socketio
