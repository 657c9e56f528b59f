// A Socket.IO packet: limits that are kept, memory in proportion, and what is read and written
// again reads the same.
#include "edge/socketio/packet.h"
#include "tests/fuzz/json_measure.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using socketio::Json;
using socketio::Packet;
using socketio::PacketLimits;
using socketio::PacketType;
using socketio::WrittenPacket;

constexpr PacketLimits kLimits = {
    .json_depth_max = 8, .attachments_max = 10, .attachments_bytes_max = 200};
// What is written here may have more attachments than were sent, since one may be placed often.
constexpr PacketLimits kWrittenLimits = {
    .json_depth_max = 8, .attachments_max = 200, .attachments_bytes_max = 200};
constexpr uint64_t kAckIdMax = (uint64_t{1} << 53) - 1;

// `[[],[],` ... costs most: a node, its block on the heap and its place in the array for 3 bytes.
size_t HeapBytesMax(size_t size) { return 4'096 + 128 * size; }

bool IsBinary(const Packet& packet) {
  return packet.type == PacketType::kBinaryEvent || packet.type == PacketType::kBinaryAck;
}

void CheckLimits(const Packet& packet) {
  Require(packet.name_space.substr(0, 1) == "/", "a namespace begins with a slash");
  Require(packet.name_space.find(',') == std::string::npos, "a namespace ends at a comma");
  Require(packet.ack_id.value_or(0) <= kAckIdMax, "an ack id is a JavaScript number");
  Require(packet.type != PacketType::kConnectError, "this is a server's");
  Require(IsBinary(packet) ? packet.attachments >= 1 && packet.attachments <= 10
                           : packet.attachments == 0,
          "attachments are 1 to 10, of the binary types");
  if (packet.payload) Require(DepthOf(*packet.payload) <= kLimits.json_depth_max, "depth");
}

// As a server would send it; nothing if it is a form that servers do not send.
std::optional<WrittenPacket> Write(const Packet& packet) {
  const socketio::Destination to = {packet.name_space, packet.ack_id};
  switch (packet.type) {
    case PacketType::kConnect:
    case PacketType::kDisconnect: {
      const Json* payload = packet.payload ? &*packet.payload : nullptr;
      return WrittenPacket{socketio::WritePlain(packet.type, packet.name_space, payload), {}};
    }
    case PacketType::kEvent:
    case PacketType::kBinaryEvent: {
      Json arguments = *packet.payload;
      const Json name = arguments.front();
      if (!name.is_string()) return std::nullopt;
      arguments.erase(arguments.begin());
      return socketio::WriteEvent(to, name.get<std::string>(), arguments);
    }
    case PacketType::kAck:
    case PacketType::kBinaryAck:
      return socketio::WriteAck(to, *packet.payload);
    case PacketType::kConnectError:
      return std::nullopt;
  }
  return std::nullopt;
}

void CheckWriting(Packet packet) {
  if (IsBinary(packet)) {
    std::vector<std::string> attachments;  // two of them may be placed
    for (size_t i = 0; i < packet.attachments; ++i) attachments.emplace_back(90, 'a' + i);
    if (!socketio::FillAttachments(attachments, kLimits, *packet.payload).ok()) return;
    Require(BinaryBytesOf(*packet.payload) <= kLimits.attachments_bytes_max, "placed bytes");
  }
  const std::optional<WrittenPacket> written = Write(packet);
  if (!written) return;
  absl::StatusOr<Packet> again = socketio::ReadPacket(written->text, kWrittenLimits);
  Require(again.ok(), "what is written is read");
  Require(again->attachments == written->attachments.size(), "each attachment is announced");
  Require(again->name_space == packet.name_space, "the same namespace");
  if (packet.type != PacketType::kConnect && packet.type != PacketType::kDisconnect) {
    Require(again->ack_id == packet.ack_id, "the same ack id");
  }
  if (IsBinary(*again)) {
    Require(socketio::FillAttachments(written->attachments, kWrittenLimits, *again->payload).ok(),
            "each attachment has its place");
  }
  Require(again->payload == packet.payload, "the same payload");
}

}  // namespace

std::vector<std::string> Seeds() {
  return {
      "0",
      R"(0{"token":"x"})",
      R"(0/custom,{"a":1})",
      "0/custom?token=1,",
      "1",
      "1/custom,",
      R"(2["a"])",
      R"(2007["a"])",
      R"(2/n,12["a",null,true,[],{},-1.5e3,"\n\u001e\ud83d\ude00"])",
      R"(2["a",1e300,0.1,-0.0,12345678901234567890,123456789012345678901])",
      R"(2[1,"x"])",
      R"(51-/admin,456["x",{"_placeholder":true,"num":0}])",
      R"(52-["a",{"_placeholder":true,"num":1},[{"x":{"_placeholder":true,"num":0}}]])",
      R"(510-["a",{"_placeholder":false},{"_placeholder":true,"num":10}])",
      "30[]",
      R"(61-[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}])",
      R"(61-7[{"_placeholder":true,"num":0}])",
      R"(2["a",[[[[[[[]]]]]]]])",
      R"(2["a",{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}])",
      R"(2["connect"])",
      R"(501-["a"])",
      R"(2["a","\ud800"])",
      R"(2["a",1e999])",
      R"(29007199254740992["a"])"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  const std::string_view text = fuzz::Text(bytes, size);
  const fuzz::HeapPeak peak;
  absl::StatusOr<socketio::Packet> packet = socketio::ReadPacket(text, fuzz::kLimits);
  fuzz::Require(peak.bytes() <= fuzz::HeapBytesMax(size), "memory in proportion to the text");
  if (!packet.ok()) return 0;
  fuzz::CheckLimits(*packet);
  fuzz::CheckWriting(*std::move(packet));
  return 0;
}
