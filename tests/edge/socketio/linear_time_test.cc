// However a packet is made, reading it takes time in proportion to its size, and so does writing.
#include "tests/support/linear_time.h"

#include "edge/socketio/packet.h"
#include "gtest/gtest.h"

namespace sessioncast::socketio {
namespace {

using tests::ExpectLinear;

// `begin`, then `piece` again and again up to about so many bytes, then `end`.
auto Repeating(std::string begin, std::string piece, std::string end) {
  return [begin, piece, end](size_t bytes) {
    std::string text = begin;
    text.reserve(bytes + begin.size() + piece.size() + end.size());
    while (text.size() < bytes) text.append(piece);
    return text + end;
  };
}

void Read(std::string_view text) { (void)ReadPacket(text, PacketLimits()); }

TEST(SocketIoLinearTimeTest, HeadsOfPackets) {
  ExpectLinear("attachments", Repeating("5", "1", "-[1]"), Read);
  ExpectLinear("namespace", Repeating("2/", "a", ",[1]"), Read);
  ExpectLinear("namespace without end", Repeating("2/", "a/", ""), Read);
  ExpectLinear("ack id", Repeating("2", "1", "[1]"), Read);
  ExpectLinear("zeros", Repeating("2", "0", "[1]"), Read);
}

TEST(SocketIoLinearTimeTest, Json) {
  ExpectLinear("arrays without end", Repeating("2[1,", "[", ""), Read);
  ExpectLinear("objects without end", Repeating("2[1,", "{\"a\":", ""), Read);
  ExpectLinear("arrays in turn", Repeating("2[1", ",[[]]", "]"), Read);
  ExpectLinear("objects in turn", Repeating("2[1", ",{}", "]"), Read);
  ExpectLinear("numbers", Repeating("2[1", ",1", "]"), Read);
  ExpectLinear("commas", Repeating("2[1", ",", "]"), Read);
  ExpectLinear("spaces", Repeating("2[1", " ", "]"), Read);
  ExpectLinear("a string", Repeating("2[\"", "a", "\"]"), Read);
  ExpectLinear("escapes", Repeating("2[\"", "\\u0041\\n", "\"]"), Read);
  ExpectLinear("a string without end", Repeating("2[\"", "\\\"", ""), Read);
  ExpectLinear("an integer", Repeating("2[", "1", "]"), Read);
  ExpectLinear("a fraction", Repeating("2[0.", "01", "]"), Read);
  ExpectLinear("an exponent", Repeating("2[1e-", "1", "]"), Read);
  ExpectLinear("one key", Repeating("2[1,{\"a\":0", ",\"a\":0", "}]"), Read);
}

TEST(SocketIoLinearTimeTest, ManyKeys) {
  const auto make = [](size_t bytes) {
    std::string text = "2[1,{\"\":0";
    for (size_t i = 0; text.size() < bytes; ++i) {
      text += ",\"" + std::string(64, 'k') + std::to_string(i) + "\":0";
    }
    return text + "}]";
  };
  ExpectLinear("keys that begin alike", make, Read);
}

TEST(SocketIoLinearTimeTest, Placeholders) {
  const auto fill = [](std::string_view text) {
    absl::StatusOr<Packet> packet = ReadPacket(text, PacketLimits());
    ASSERT_TRUE(packet.ok());
    ASSERT_TRUE(FillAttachments({"x"}, PacketLimits(), *packet->payload).ok());
  };
  ExpectLinear("placeholders", Repeating("51-[1", ",{\"_placeholder\":true,\"num\":0}", "]"), fill);
}

// Each level has its share of the bytes beside the next level; the last one has a binary.
Json Nested(size_t bytes, size_t levels) {
  const std::string filling(bytes / levels, 'x');
  Json value = Json::binary({1});
  for (size_t i = 0; i < levels; ++i) value = Json::array({filling, std::move(value)});
  return Json::array({std::move(value)});
}

TEST(SocketIoLinearTimeTest, Writing) {
  const auto write = [](const Json& arguments) { (void)WriteEvent({}, "a", arguments); };
  const auto binaries = [](size_t bytes) { return Json(bytes / 32, Json::binary({1})); };
  const auto deep = [](size_t bytes) { return Nested(bytes, bytes / 4'096); };
  const auto strings = [](size_t bytes) { return Json(bytes / 8, "\x80"); };
  ExpectLinear("binaries", binaries, write);
  ExpectLinear("a binary, the deeper the larger", deep, write);
  ExpectLinear("texts that are not UTF-8", strings, write);
}

}  // namespace
}  // namespace sessioncast::socketio
