#include "edge/engineio/packet.h"

#include "gtest/gtest.h"

namespace sessioncast::engineio {
namespace {

TEST(PacketTest, EachTypeIsReadWithItsBody) {
  for (char type = '0'; type <= '6'; ++type) {
    const std::string text = std::string(1, type) + "body";
    const std::optional<Packet> packet = DecodePacket(text);
    ASSERT_TRUE(packet) << text;
    EXPECT_EQ(static_cast<char>(packet->type), type);
    EXPECT_EQ(packet->body, "body");
    EXPECT_EQ(packet->format, PacketFormat::kText);
  }
}

TEST(PacketTest, AnythingElseIsNone) {
  for (const std::string_view bad : {"", "7", "a", " 4", "b#", "b###", "bAQI", "bA===", "bAQ==="}) {
    EXPECT_FALSE(DecodePacket(bad)) << bad;
  }
}

TEST(PacketTest, BinaryIsReadFromBase64) {
  const std::optional<Packet> packet = DecodePacket("bAQIDBA==");
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->format, PacketFormat::kBinary);
  EXPECT_EQ(packet->decoded, "\x01\x02\x03\x04");
  EXPECT_EQ(DecodePacket("b")->decoded, "");
}

TEST(PacketTest, APayloadIsSplitAtItsSeparators) {
  const auto packets = SplitPayload(
      "4a\x1e"
      "2\x1e",
      10);
  ASSERT_TRUE(packets);
  EXPECT_EQ(*packets, (std::vector<std::string_view>{"4a", "2", ""}));
}

TEST(PacketTest, APayloadOfTooManyPacketsIsRefused) {
  EXPECT_TRUE(
      SplitPayload("4\x1e"
                   "4\x1e"
                   "4",
                   3));
  EXPECT_FALSE(
      SplitPayload("4\x1e"
                   "4\x1e"
                   "4\x1e",
                   3));
}

TEST(PacketTest, WhatIsWrittenIsReadBack) {
  std::string payload;
  AppendToPayload(PacketType::kMessage, PacketFormat::kText, "hello", payload);
  AppendToPayload(PacketType::kMessage, PacketFormat::kBinary, std::string_view("\0\xFF", 2),
                  payload);
  AppendToPayload(PacketType::kPing, PacketFormat::kText, "", payload);
  EXPECT_EQ(payload,
            "4hello\x1e"
            "bAP8=\x1e"
            "2");
  const auto packets = SplitPayload(payload, 3);
  EXPECT_EQ(DecodePacket((*packets)[1])->decoded, std::string_view("\0\xFF", 2));
}

}  // namespace
}  // namespace sessioncast::engineio
