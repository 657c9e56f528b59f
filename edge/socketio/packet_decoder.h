// Puts Socket.IO's packets together, from the texts and binary messages that arrive on a
// connection. Pure.
//
// Invariants: a packet that is not yet complete has at most attachments_max attachments, together
// at most attachments_bytes_max long. After an error nothing is kept.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/socketio/packet.h"

namespace sessioncast::socketio {

class PacketDecoder {
 public:
  explicit PacketDecoder(const PacketLimits& limits) : limits_(limits) {}

  // The packet that is complete with this; nothing as long as attachments are due; INVALID_ARGUMENT
  // if a client may not send it, or not now.
  absl::StatusOr<std::optional<Packet>> ReadText(std::string_view text);
  absl::StatusOr<std::optional<Packet>> ReadBinary(std::string_view bytes);

  // Forgets a packet that is not complete.
  void Reset();

 private:
  absl::Status Refuse(absl::string_view what);

  const PacketLimits& limits_;
  std::optional<Packet> incomplete_;
  std::vector<std::string> attachments_;
  size_t attachments_bytes_ = 0;
};

}  // namespace sessioncast::socketio
