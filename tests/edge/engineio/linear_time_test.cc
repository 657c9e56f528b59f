// However an input is made, reading it takes time in proportion to its size.
#include "tests/support/linear_time.h"

#include <limits>

#include "edge/engineio/packet.h"
#include "edge/engineio/request_head.h"
#include "edge/engineio/utf8.h"
#include "edge/engineio/websocket_frame.h"
#include "gtest/gtest.h"
#include "tests/support/client_frame.h"

namespace sessioncast::engineio {
namespace {

using tests::ClientFrame;
using tests::ExpectLinear;

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max() / 4;

// `piece` again and again, up to about so many bytes.
std::string Repeated(std::string_view piece, size_t bytes) {
  std::string text;
  text.reserve(bytes + piece.size());
  while (text.size() < bytes) text.append(piece);
  return text;
}

auto Repeating(std::string piece) {
  return [piece](size_t bytes) { return Repeated(piece, bytes); };
}

TEST(EngineIoLinearTimeTest, Payloads) {
  const auto read = [](std::string_view payload) {
    const auto texts = SplitPayload(payload, kNoLimit);
    for (const std::string_view text : *texts) (void)DecodePacket(text);
  };
  ExpectLinear("separators", Repeating("\x1e"), read);
  ExpectLinear("packets", Repeating("4a\x1e"), read);
  ExpectLinear("binary packets", Repeating("bAAAA\x1e"), read);
  ExpectLinear("one packet", Repeating("4"), read);
  ExpectLinear(
      "base64", [](size_t bytes) { return "b" + Repeated("AAAA", bytes); }, read);
  ExpectLinear(
      "equal signs", [](size_t bytes) { return "b" + Repeated("====", bytes); }, read);
}

TEST(EngineIoLinearTimeTest, Utf8) {
  const auto replace = [](std::string_view text) { (void)ReplaceBadUtf8(text); };
  ExpectLinear("letters", Repeating("a"), replace);
  ExpectLinear("long characters", Repeating("\xF0\x9F\x98\x80"), replace);
  ExpectLinear("bad bytes", Repeating("\xFF"), replace);
  ExpectLinear("characters that break off", Repeating("\xF0\x9F\x98"), replace);
}

// Reads the bytes in pieces of this size.
void ReadFrames(std::string_view bytes, size_t piece_bytes) {
  FrameLimits limits;
  limits.message_bytes_max = kNoLimit;
  limits.fragments_max = kNoLimit;
  limits.control_frames_max = kNoLimit;
  FrameReader reader(&limits);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    while (reader.Read(piece).kind != FrameEvent::Kind::kNothing) continue;
  }
}

TEST(EngineIoLinearTimeTest, Frames) {
  const auto read = [](std::string_view bytes) { ReadFrames(bytes, kNoLimit); };
  const auto read_bytewise = [](std::string_view bytes) { ReadFrames(bytes, 1); };
  const auto message = [](size_t bytes) {
    return ClientFrame(0x81, Repeated("\xE2\x82\xAC", bytes));
  };
  const auto fragments = [](size_t bytes) {
    return ClientFrame(0x01, "") + Repeated(ClientFrame(0x00, "a"), bytes);
  };
  ExpectLinear("one message", message, read);
  ExpectLinear("one message, a byte at a time", message, read_bytewise);
  ExpectLinear("messages", Repeating(ClientFrame(0x82, "a")), read);
  ExpectLinear("fragments", fragments, read);
  ExpectLinear("fragments, a byte at a time", fragments, read_bytewise);
  ExpectLinear("pings", Repeating(ClientFrame(0x89, "a")), read);
}

TEST(EngineIoLinearTimeTest, RequestHeads) {
  const auto read = [](std::string_view bytes) {
    const auto parsed = ParseHead(bytes, kNoLimit);
    if (const auto* read = std::get_if<ReadHead>(&parsed)) {
      (void)IsSuspiciousPath(read->head.request.path);
    }
  };
  const auto target = [](std::string piece) {
    return [piece](size_t bytes) {
      return "GET /" + Repeated(piece, bytes) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
  };
  // As many fields as there may be, each with its share.
  const auto fields = [](std::string piece) {
    return [piece](size_t bytes) {
      const std::string field = "Connection: " + Repeated(piece, bytes / 90) + "\r\n";
      return "GET / HTTP/1.1\r\nHost: a\r\n" + Repeated(field, bytes) + "\r\n";
    };
  };
  ExpectLinear("path", target("a/"), read);
  ExpectLinear("escapes", target("%2e%2e/"), read);
  ExpectLinear("query", target("?a=%41&"), read);
  ExpectLinear("no end", Repeating("GET / HTTP/1.1 "), read);
  ExpectLinear("fields", fields("a"), read);
  ExpectLinear("commas", fields(", ,"), read);
  ExpectLinear("spaces", fields(" \t"), read);
}

}  // namespace
}  // namespace sessioncast::engineio
