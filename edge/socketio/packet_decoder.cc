#include "edge/socketio/packet_decoder.h"

#include <utility>

#include "absl/status/status.h"

namespace sessioncast::socketio {

absl::StatusOr<std::optional<Packet>> PacketDecoder::ReadText(std::string_view text) {
  if (incomplete_) return Refuse("a text where an attachment is due");
  absl::StatusOr<Packet> packet = ReadPacket(text, limits_);
  if (!packet.ok()) return packet.status();
  if (packet->attachments == 0) return std::optional<Packet>(*std::move(packet));
  incomplete_ = *std::move(packet);
  return std::nullopt;
}

absl::StatusOr<std::optional<Packet>> PacketDecoder::ReadBinary(std::string_view bytes) {
  if (!incomplete_) return Refuse("a binary message where no attachment is due");
  if (bytes.size() > limits_.attachments_bytes_max - attachments_bytes_) {
    return Refuse("attachments too large");
  }
  attachments_bytes_ += bytes.size();
  attachments_.emplace_back(bytes);
  if (attachments_.size() < incomplete_->attachments) return std::nullopt;
  Packet packet = *std::move(incomplete_);
  const std::vector<std::string> attachments = std::move(attachments_);
  Reset();
  if (absl::Status status = FillAttachments(attachments, limits_, *packet.payload); !status.ok()) {
    return status;
  }
  return std::optional<Packet>(std::move(packet));
}

void PacketDecoder::Reset() {
  incomplete_.reset();
  attachments_.clear();
  attachments_bytes_ = 0;
}

absl::Status PacketDecoder::Refuse(absl::string_view what) {
  Reset();
  return absl::InvalidArgumentError(what);
}

}  // namespace sessioncast::socketio
