#include "edge/engineio/websocket_frame.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/support/client_frame.h"

namespace sessioncast::engineio {
namespace {

using tests::ClientFrame;
using Kind = FrameEvent::Kind;

std::vector<FrameEvent> ReadAll(std::string_view bytes, const FrameLimits& limits = {},
                                size_t step = std::string_view::npos) {
  FrameReader reader(&limits);
  std::vector<FrameEvent> events;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    for (FrameEvent event = reader.Read(piece); event.kind != Kind::kNothing;
         event = reader.Read(piece)) {
      events.push_back(std::move(event));
    }
  }
  return events;
}

uint16_t BrokenWith(std::string_view bytes, const FrameLimits& limits = {}) {
  const std::vector<FrameEvent> events = ReadAll(bytes, limits);
  return events.empty() || events.back().kind != Kind::kBroken ? 0 : events.back().code;
}

TEST(FrameReaderTest, ReadsFramesHoweverTheyAreCut) {
  const std::string bytes = ClientFrame(0x81, "hello") + ClientFrame(0x82, std::string(300, 'x')) +
                            ClientFrame(0x89, "p") + ClientFrame(0x01, "a\xE2") +
                            ClientFrame(0x89, "q") + ClientFrame(0x00, "\x82") +
                            ClientFrame(0x80, "\xAC") +
                            ClientFrame(0x88,
                                        "\x03\xE8"
                                        "bye");
  for (size_t step = 1; step < 20; ++step) {
    const std::vector<FrameEvent> events = ReadAll(bytes, {}, step);
    ASSERT_EQ(events.size(), 6u) << step;
    EXPECT_EQ(events[0].payload, "hello");
    EXPECT_EQ(events[1].payload.size(), 300u);
    EXPECT_EQ(events[1].kind, Kind::kBinary);
    EXPECT_EQ(events[2].kind, Kind::kPing);
    EXPECT_EQ(events[3].payload, "q");
    EXPECT_EQ(events[4].payload, "a\xE2\x82\xAC");
    EXPECT_EQ(events[5].kind, Kind::kClose);
    EXPECT_EQ(events[5].code, 1000);
  }
}

TEST(FrameReaderTest, BreaksWithTheRightCode) {
  const struct {
    const char* what;
    std::string bytes;
    uint16_t code;
  } rows[] = {
      {"unmasked", std::string("\x81\x01", 2), 1002},
      {"RSV1", ClientFrame(0xC1, "a"), 1002},
      {"RSV2", ClientFrame(0xA1, "a"), 1002},
      {"RSV3", ClientFrame(0x91, "a"), 1002},
      {"opcode 3", ClientFrame(0x83, "a"), 1002},
      {"opcode 7", ClientFrame(0x87, "a"), 1002},
      {"opcode 11", ClientFrame(0x8B, "a"), 1002},
      {"opcode 15", ClientFrame(0x8F, "a"), 1002},
      {"continuation without start", ClientFrame(0x80, "a"), 1002},
      {"a new message inside one", ClientFrame(0x01, "a") + ClientFrame(0x81, "b"), 1002},
      {"fragmented ping", ClientFrame(0x09, "a"), 1002},
      {"ping of 126 bytes", ClientFrame(0x89, std::string(126, 'a')), 1002},
      {"close of one byte", ClientFrame(0x88, "a"), 1002},
      {"close 999", ClientFrame(0x88, "\x03\xE7"), 1002},
      {"close 1005", ClientFrame(0x88, "\x03\xED"), 1002},
      {"close 5000", ClientFrame(0x88, "\x13\x88"), 1002},
      {"bad UTF-8", ClientFrame(0x81, "a\xFF"), 1007},
      {"UTF-8 that ends early", ClientFrame(0x81, "a\xE2\x82"), 1007},
      {"bad UTF-8 in the first fragment", ClientFrame(0x01, "\xFF"), 1007},
      {"bad UTF-8 in a close", ClientFrame(0x88, "\x03\xE8\xFF"), 1007},
      {"a declared length of 2^40", std::string("\x82\xFF\0\0\x01\0\0\0\0\0abcd", 14), 1009},
      {"a declared length of 2^63", std::string("\x82\xFF\x80\0\0\0\0\0\0\0abcd", 14), 1009},
  };
  for (const auto& row : rows) EXPECT_EQ(BrokenWith(row.bytes), row.code) << row.what;
}

TEST(FrameReaderTest, TheLimitOnAMessageCountsItsFragmentsTogether) {
  FrameLimits limits;
  limits.message_bytes_max = 10;
  EXPECT_EQ(BrokenWith(ClientFrame(0x81, std::string(10, 'a')), limits), 0);
  EXPECT_EQ(BrokenWith(ClientFrame(0x81, std::string(11, 'a')), limits), 1009);
  EXPECT_EQ(BrokenWith(ClientFrame(0x01, "aaaaaa") + ClientFrame(0x80, "aaaa"), limits), 0);
  EXPECT_EQ(BrokenWith(ClientFrame(0x01, "aaaaaa") + ClientFrame(0x80, "aaaaa"), limits), 1009);
}

TEST(FrameReaderTest, TooManyFragmentsBreakEvenIfTheyAreEmpty) {
  FrameLimits limits;
  limits.fragments_max = 3;
  const std::string empty = ClientFrame(0x00, "");
  EXPECT_EQ(BrokenWith(ClientFrame(0x01, "") + empty + ClientFrame(0x80, ""), limits), 0);
  EXPECT_EQ(BrokenWith(ClientFrame(0x01, "") + empty + empty + empty, limits), 1008);
}

TEST(FrameReaderTest, AFloodOfPingsBreaks) {
  FrameLimits limits;
  limits.control_frames_max = 3;
  const std::string ping = ClientFrame(0x89, "");
  EXPECT_EQ(BrokenWith(ping + ping + ping + ClientFrame(0x81, "4") + ping, limits), 0);
  EXPECT_EQ(BrokenWith(ping + ping + ping + ping, limits), 1008);
}

TEST(FrameReaderTest, ALengthNeedNotBeMinimal) {
  const std::vector<FrameEvent> events =
      ReadAll(std::string_view("\x81\xFE\0\x01"
                               "abcd"
                               "\x00",
                               9));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].payload, "a");
}

TEST(FrameReaderTest, ReadsNothingAfterTheEnd) {
  EXPECT_EQ(ReadAll(ClientFrame(0x88, "") + ClientFrame(0x81, "a")).size(), 1u);
  EXPECT_EQ(ReadAll(ClientFrame(0x83, "") + ClientFrame(0x81, "a")).size(), 1u);
}

TEST(FrameWriterTest, TheHeaderIsMinimal) {
  char header[kFrameHeaderBytesMax];
  EXPECT_EQ(WriteFrameHeader(kTextFrame, 125, header), 2u);
  EXPECT_EQ(WriteFrameHeader(kTextFrame, 126, header), 4u);
  EXPECT_EQ(std::string_view(header, 4), std::string_view("\x81\x7E\x00\x7E", 4));
  EXPECT_EQ(WriteFrameHeader(kBinaryFrame, 65'536, header), 10u);
  EXPECT_EQ(std::string_view(header, 10), std::string_view("\x82\x7F\0\0\0\0\0\x01\0\0", 10));
}

TEST(AcceptKeyTest, AnswersTheExampleOfTheRfcAndRefusesOtherKeys) {
  EXPECT_EQ(AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const std::string_view bad :
       {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!", "dGhlIHNhbXBsZSBub25jZTEy"}) {
    EXPECT_FALSE(AcceptKey(bad)) << bad;
  }
}

}  // namespace
}  // namespace sessioncast::engineio
