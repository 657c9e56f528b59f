// What is written is read: random payloads and frames. Each round has a seed of its own, which a
// failure names.
#include <algorithm>

#include "edge/engineio/packet.h"
#include "edge/engineio/websocket_frame.h"
#include "gtest/gtest.h"
#include "tests/support/client_frame.h"
#include "tests/support/random_text.h"

namespace sessioncast::engineio {
namespace {

using tests::Below;
using tests::ClientFrame;
using tests::Random;
using Kind = FrameEvent::Kind;

// ---- payloads

struct Sent {
  PacketType type = PacketType::kMessage;
  PacketFormat format = PacketFormat::kText;
  std::string body;
};

Sent RandomPacket(Random& random) {
  Sent sent;
  const size_t size = Below(random, 4) == 0 ? Below(random, 5'000) : Below(random, 20);
  if (Below(random, 3) == 0) {
    sent.format = PacketFormat::kBinary;
    sent.body = tests::RandomBytes(random, size);
    return sent;
  }
  sent.type = static_cast<PacketType>('0' + Below(random, 7));
  sent.body = tests::RandomText(random, size);
  // JSON, which is what a body is, escapes it.
  std::replace(sent.body.begin(), sent.body.end(), kPacketSeparator, ' ');
  return sent;
}

void ExpectPayloadReadsTheSame(uint64_t seed) {
  Random random(seed);
  std::vector<Sent> sent(1 + Below(random, 40));
  std::string payload;
  for (Sent& packet : sent) {
    packet = RandomPacket(random);
    AppendToPayload(packet.type, packet.format, packet.body, payload);
  }
  EXPECT_FALSE(SplitPayload(payload, sent.size() - 1));
  const auto texts = SplitPayload(payload, sent.size());
  ASSERT_TRUE(texts);
  ASSERT_EQ(texts->size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    const std::optional<Packet> packet = DecodePacket((*texts)[i]);
    ASSERT_TRUE(packet) << (*texts)[i];
    const bool is_text = sent[i].format == PacketFormat::kText;
    EXPECT_EQ(packet->type, sent[i].type);
    EXPECT_EQ(packet->format, sent[i].format);
    EXPECT_EQ(is_text ? packet->body : packet->decoded, sent[i].body);
  }
}

TEST(EngineIoRoundTripTest, APayloadOfRandomPacketsReadsTheSame) {
  for (uint64_t seed = 1; seed <= 300 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ExpectPayloadReadsTheSame(seed);
  }
}

// ---- frames

struct Event {
  Kind kind = Kind::kNothing;
  std::string payload;
  bool operator==(const Event&) const = default;
};

// Around the sizes where a frame's length is written in another way.
size_t RandomSize(Random& random) {
  static constexpr size_t kEdges[] = {0, 125, 126, 127, 65'535, 65'536, 65'537};
  return Below(random, 2) == 0 ? kEdges[Below(random, 7)] : Below(random, 1'000);
}

// Writes a message as one frame, or as several with pings between them, and notes what is to be
// read.
class Client {
 public:
  explicit Client(uint64_t seed) : random_(seed) {}

  void WriteMessage() {
    const bool is_text = Below(random_, 2) == 0;
    const size_t size = RandomSize(random_);
    const std::string payload =
        is_text ? tests::RandomText(random_, size) : tests::RandomBytes(random_, size);
    uint8_t opcode = is_text ? kTextFrame : kBinaryFrame;
    std::string_view rest = payload;
    for (size_t fragments = Below(random_, 4); fragments > 0; --fragments) {
      const size_t cut = Below(random_, rest.size() + 1);
      WriteFrame(opcode, rest.substr(0, cut));
      rest.remove_prefix(cut);
      opcode = 0;
      if (Below(random_, 2) == 0) WritePing();
    }
    WriteFrame(0x80 | opcode, rest);
    events_.push_back({is_text ? Kind::kText : Kind::kBinary, payload});
  }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Event>& events() const { return events_; }

  // What a reader makes of the bytes, in pieces of 1 .. piece_max.
  std::vector<Event> ReadInPieces(size_t piece_max) {
    const FrameLimits limits;
    FrameReader reader(&limits);
    std::vector<Event> events;
    for (std::string_view bytes = bytes_; !bytes.empty();) {
      std::string_view piece = bytes.substr(0, 1 + Below(random_, piece_max));
      bytes.remove_prefix(piece.size());
      for (FrameEvent event = reader.Read(piece); event.kind != Kind::kNothing;
           event = reader.Read(piece)) {
        events.push_back({event.kind, std::move(event.payload)});
      }
    }
    return events;
  }

 private:
  void WritePing() {
    const std::string payload = tests::RandomBytes(random_, Below(random_, 126));
    const bool is_ping = Below(random_, 2) == 0;
    WriteFrame(is_ping ? 0x89 : 0x80 | kPongFrame, payload);
    events_.push_back({is_ping ? Kind::kPing : Kind::kPong, payload});
  }

  void WriteFrame(uint8_t first, std::string_view payload) {
    bytes_ += ClientFrame(first, payload, tests::RandomBytes(random_, 4));
  }

  Random random_;
  std::string bytes_;
  std::vector<Event> events_;
};

TEST(EngineIoRoundTripTest, RandomFramesReadTheSameHoweverTheyAreCut) {
  for (uint64_t seed = 1; seed <= 60 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Client client(seed);
    for (int i = 0; i < 6; ++i) client.WriteMessage();
    for (const size_t piece_max : {size_t{3}, size_t{300}, size_t{20'000}, client.bytes().size()}) {
      EXPECT_TRUE(client.ReadInPieces(piece_max) == client.events()) << piece_max;
    }
  }
}

TEST(EngineIoRoundTripTest, AServersFrameReadsTheSameOnceItIsMasked) {
  Random random(1);
  for (const size_t size : {0, 1, 124, 125, 126, 127, 128, 65'534, 65'535, 65'536, 65'537}) {
    const std::string payload = tests::RandomBytes(random, size);
    char header[kFrameHeaderBytesMax];
    const size_t header_size = WriteFrameHeader(kBinaryFrame, size, header);
    header[1] = static_cast<char>(header[1] | 0x80);
    // A mask of zeros changes nothing.
    const std::string frame = std::string(header, header_size) + std::string(4, '\0') + payload;
    EXPECT_EQ(frame, ClientFrame(0x80 | kBinaryFrame, payload, std::string(4, '\0'))) << size;
    const FrameLimits limits;
    FrameReader reader(&limits);
    std::string_view bytes = frame;
    const FrameEvent event = reader.Read(bytes);
    EXPECT_EQ(event.kind, Kind::kBinary) << size;
    EXPECT_TRUE(event.payload == payload) << size;
    EXPECT_TRUE(bytes.empty()) << size;
  }
}

}  // namespace
}  // namespace sessioncast::engineio
