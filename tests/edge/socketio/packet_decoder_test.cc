#include "edge/socketio/packet_decoder.h"

#include "gtest/gtest.h"

namespace sessioncast::socketio {
namespace {

using Result = absl::StatusOr<std::optional<Packet>>;

constexpr std::string_view kTwo =
    R"(52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}])";

bool IsDue(const Result& result) { return result.ok() && !*result; }
bool IsComplete(const Result& result) { return result.ok() && result->has_value(); }

TEST(PacketDecoderTest, APacketWithoutAttachmentsIsCompleteAtOnce) {
  const PacketLimits limits;
  PacketDecoder decoder(limits);
  const Result packet = decoder.ReadText(R"(2["a",1])");
  ASSERT_TRUE(IsComplete(packet));
  EXPECT_EQ((*packet)->payload, Json::parse(R"(["a",1])"));
}

TEST(PacketDecoderTest, APacketWaitsForItsAttachments) {
  const PacketLimits limits;
  PacketDecoder decoder(limits);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
    EXPECT_TRUE(IsDue(decoder.ReadBinary("0")));
    const Result packet = decoder.ReadBinary("1");
    ASSERT_TRUE(IsComplete(packet));
    EXPECT_EQ((*packet)->payload, Json::array({"a", Json::binary({'1'}), Json::binary({'0'})}));
  }
}

TEST(PacketDecoderTest, WhatComesOutOfTurnIsRefusedAndNothingKept) {
  const PacketLimits limits;
  PacketDecoder decoder(limits);
  EXPECT_FALSE(decoder.ReadBinary("0").ok());
  EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
  EXPECT_FALSE(decoder.ReadText(R"(2["b"])").ok());
  EXPECT_FALSE(decoder.ReadBinary("0").ok());
  EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
  decoder.Reset();
  EXPECT_TRUE(IsComplete(decoder.ReadText(R"(2["b"])")));
}

TEST(PacketDecoderTest, IllegalPlaceholdersAreRefusedAndNothingKept) {
  const PacketLimits limits;
  PacketDecoder decoder(limits);
  EXPECT_TRUE(IsDue(decoder.ReadText(R"(51-["a",{"_placeholder":true,"num":1}])")));
  EXPECT_FALSE(decoder.ReadBinary("0").ok());
  EXPECT_TRUE(IsComplete(decoder.ReadText(R"(2["b"])")));
}

TEST(PacketDecoderTest, AttachmentsHaveALimitTogether) {
  PacketLimits limits;
  limits.attachments_bytes_max = 8;
  PacketDecoder decoder(limits);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
    EXPECT_TRUE(IsDue(decoder.ReadBinary("1234")));
    EXPECT_TRUE(IsComplete(decoder.ReadBinary("5678")));
    EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
    EXPECT_TRUE(IsDue(decoder.ReadBinary("1234")));
    EXPECT_FALSE(decoder.ReadBinary("56789").ok());
    EXPECT_TRUE(IsDue(decoder.ReadText(kTwo)));
    EXPECT_FALSE(decoder.ReadBinary("123456789").ok());
  }
}

}  // namespace
}  // namespace sessioncast::socketio
