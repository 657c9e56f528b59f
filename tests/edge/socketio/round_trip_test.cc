// What is written is read: random packets of every type that a client may send, with binary
// anywhere, one after the other through the decoder of a connection. Each round has a seed of its
// own, which a failure names.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "edge/socketio/packet_decoder.h"
#include "gtest/gtest.h"
#include "tests/support/random_text.h"

namespace sessioncast::socketio {
namespace {

using tests::Below;
using tests::Random;

constexpr uint64_t kAckIdMax = (uint64_t{1} << 53) - 1;

double RandomDouble(Random& random) {
  const uint64_t bits = random();
  double number = 0;
  std::memcpy(&number, &bits, sizeof number);
  return std::isfinite(number) ? number : 0.1;
}

Json RandomNumber(Random& random) {
  switch (Below(random, 6)) {
    case 0:
      return random();
    case 1:
      return static_cast<int64_t>(random());
    case 2:
      return std::numeric_limits<int64_t>::min();
    case 3:
      return std::numeric_limits<uint64_t>::max();
    case 4:
      return RandomDouble(random);
    default:
      return static_cast<int>(Below(random, 200)) - 100;
  }
}

class Generator {
 public:
  Generator(uint64_t seed, size_t binaries_max) : random_(seed), binaries_left_(binaries_max) {}

  Random& random() { return random_; }
  // At most this deep; a binary is one deep, as its placeholder is.
  Json Value(size_t depth) {
    switch (Below(random_, depth > 0 ? 9 : 5)) {
      case 0:
        return nullptr;
      case 1:
        return Below(random_, 2) == 0;
      case 2:
      case 3:
        return RandomNumber(random_);
      case 4:
        return tests::RandomText(random_, Below(random_, 30));
      case 5:
        return Binary();
      case 6:
        return Object(depth);
      default:
        return Array(depth);
    }
  }
  Json Object(size_t depth) {
    Json object = Json::object();
    for (size_t n = Below(random_, 4); n > 0; --n) {
      object[tests::RandomText(random_, Below(random_, 10))] = Value(depth - 1);
    }
    return object;
  }
  Json Array(size_t depth) {
    Json array = Json::array();
    for (size_t n = Below(random_, 5); n > 0; --n) array.push_back(Value(depth - 1));
    return array;
  }
  // As many as there may still be.
  void AddBinaries(Json& array) {
    while (binaries_left_ > 0) array.push_back(Binary());
  }
  std::string NameSpace() {
    static constexpr const char* kNames[] = {"/", "/admin", "/a/b", "/custom?token=1", "/é"};
    return kNames[Below(random_, 5)];
  }
  std::optional<uint64_t> AckId() {
    switch (Below(random_, 4)) {
      case 0:
        return std::nullopt;
      case 1:
        return Below(random_, 20);
      case 2:
        return kAckIdMax;
      default:
        return random_() & kAckIdMax;
    }
  }

 private:
  Json Binary() {
    if (binaries_left_ == 0) return "none left";
    --binaries_left_;
    const std::string bytes = tests::RandomBytes(random_, Below(random_, 100));
    return Json::binary(Json::binary_t::container_type(bytes.begin(), bytes.end()));
  }

  Random random_;
  size_t binaries_left_;
};

// A packet to be sent, and how it is to be read. What has attachments is of the binary type.
struct Sent {
  Packet packet;
  WrittenPacket written;
};

Sent RandomPlain(Generator& generator, PacketType type, const PacketLimits& limits) {
  Sent sent;
  sent.packet.type = type;
  sent.packet.name_space = generator.NameSpace();
  if (type == PacketType::kConnect && Below(generator.random(), 3) > 0) {
    sent.packet.payload = generator.Object(limits.json_depth_max);
  }
  const Json* payload = sent.packet.payload ? &*sent.packet.payload : nullptr;
  sent.written.text = WritePlain(type, sent.packet.name_space, payload);
  return sent;
}

Sent RandomWithArguments(Generator& generator, PacketType type, const PacketLimits& limits) {
  Sent sent;
  sent.packet.type = type;
  sent.packet.name_space = generator.NameSpace();
  sent.packet.ack_id = generator.AckId();
  Json arguments = generator.Array(limits.json_depth_max);
  if (Below(generator.random(), 10) == 0) generator.AddBinaries(arguments);
  const Destination to = {sent.packet.name_space, sent.packet.ack_id};
  if (type == PacketType::kEvent) {
    const std::string name = "n" + tests::RandomText(generator.random(), 20);
    sent.written = WriteEvent(to, name, arguments);
    arguments.insert(arguments.begin(), name);
  } else {
    sent.written = WriteAck(to, arguments);
  }
  sent.packet.payload = std::move(arguments);
  sent.packet.attachments = sent.written.attachments.size();
  if (sent.packet.attachments > 0) {
    sent.packet.type =
        type == PacketType::kEvent ? PacketType::kBinaryEvent : PacketType::kBinaryAck;
  }
  return sent;
}

Sent RandomPacket(uint64_t seed, const PacketLimits& limits) {
  // Connecting and leaving are only sent without binary.
  static constexpr PacketType kTypes[] = {PacketType::kEvent, PacketType::kEvent, PacketType::kAck,
                                          PacketType::kConnect, PacketType::kDisconnect};
  const PacketType type = kTypes[seed % 5];
  const bool has_arguments = type == PacketType::kEvent || type == PacketType::kAck;
  Generator generator(seed, has_arguments ? limits.attachments_max : 0);
  return has_arguments ? RandomWithArguments(generator, type, limits)
                       : RandomPlain(generator, type, limits);
}

void ExpectReadsTheSame(const Sent& sent, PacketDecoder& decoder) {
  absl::StatusOr<std::optional<Packet>> read = decoder.ReadText(sent.written.text);
  for (const std::string& attachment : sent.written.attachments) {
    ASSERT_TRUE(read.ok()) << read.status() << " " << sent.written.text;
    EXPECT_FALSE(*read);
    read = decoder.ReadBinary(attachment);
  }
  ASSERT_TRUE(read.ok()) << read.status() << " " << sent.written.text;
  ASSERT_TRUE(*read) << sent.written.text;
  EXPECT_EQ((*read)->type, sent.packet.type);
  EXPECT_EQ((*read)->attachments, sent.packet.attachments);
  EXPECT_EQ((*read)->name_space, sent.packet.name_space);
  EXPECT_EQ((*read)->ack_id, sent.packet.ack_id);
  EXPECT_TRUE((*read)->payload == sent.packet.payload) << sent.written.text;
}

TEST(SocketIoRoundTripTest, RandomPacketsReadTheSame) {
  PacketLimits limits;
  limits.json_depth_max = 8;
  PacketDecoder decoder(limits);
  size_t attachments_seen_max = 0;
  for (uint64_t seed = 1; seed <= 4'000 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Sent sent = RandomPacket(seed, limits);
    attachments_seen_max = std::max(attachments_seen_max, sent.packet.attachments);
    ExpectReadsTheSame(sent, decoder);
  }
  EXPECT_EQ(attachments_seen_max, limits.attachments_max);
}

TEST(SocketIoRoundTripTest, ValuesAsDeepAsTheLimitReadTheSame) {
  const PacketLimits limits;
  PacketDecoder decoder(limits);
  for (size_t levels : {limits.json_depth_max - 2, limits.json_depth_max - 1}) {
    Json value = Json::array();
    for (size_t i = 1; i < levels; ++i) {
      value = i % 2 == 0 ? Json::array({value}) : Json{{"deep", value}};
    }
    Sent sent;
    sent.packet.type = PacketType::kEvent;
    sent.packet.payload = Json::array({"n", value});
    sent.written = WriteEvent({}, "n", Json::array({value}));
    ExpectReadsTheSame(sent, decoder);
  }
}

}  // namespace
}  // namespace sessioncast::socketio
