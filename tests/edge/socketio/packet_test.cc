#include "edge/socketio/packet.h"

#include <cmath>
#include <limits>

#include "edge/socketio/server.h"
#include "gtest/gtest.h"

namespace sessioncast::socketio {
namespace {

bool IsRead(std::string_view text) { return ReadPacket(text, PacketLimits()).ok(); }

TEST(SocketIoPacketTest, ReadsEachPart) {
  const auto packet = ReadPacket(R"(51-/admin,456["x",{"_placeholder":true,"num":0}])", {});
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->type, PacketType::kBinaryEvent);
  EXPECT_EQ(packet->attachments, 1u);
  EXPECT_EQ(packet->name_space, "/admin");
  EXPECT_EQ(packet->ack_id, 456u);
  EXPECT_EQ((*packet->payload)[0], "x");
}

TEST(SocketIoPacketTest, AcceptsWhatTheReferenceAccepts) {
  for (const std::string_view good : {"0",
                                      "0{}",
                                      R"(0{"token":"x"})",
                                      "0/custom,",
                                      "0/custom",
                                      R"(0/custom,{"a":1})",
                                      "01{}",
                                      "1",
                                      "1/custom,",
                                      R"(2["a"])",
                                      R"(2["error"])",
                                      R"(2["connection"])",
                                      R"(2["__proto__"])",
                                      R"(2[1,"x"])",
                                      "2[1.5]",
                                      R"(2007["a"])",
                                      R"(2 ["a"] )",
                                      "30[]",
                                      "3[]",
                                      R"(2/a?b=c,["a"])",
                                      R"(2["a",{"_placeholder":true,"num":5}])",
                                      R"(2["a",1e300])"}) {
    EXPECT_TRUE(IsRead(good)) << good;
  }
  EXPECT_EQ(ReadPacket(R"(2007["a"])", {})->ack_id, 7u);
  EXPECT_EQ(ReadPacket("0/custom?token=1,", {})->name_space, "/custom?token=1");
}

TEST(SocketIoPacketTest, RefusesTheRest) {
  for (const std::string_view bad : {"",
                                     "7",
                                     "a",
                                     " ",
                                     "0[]",
                                     "0null",
                                     "0\"a\"",
                                     "0{",
                                     "0custom,",
                                     "1{}",
                                     "1[]",
                                     "2",
                                     "2/a",
                                     "2[]",
                                     "2{}",
                                     "2null",
                                     "2[null]",
                                     R"(2[["a"]])",
                                     "2[{}]",
                                     R"(2["connect"])",
                                     R"(2["connect_error"])",
                                     R"(2["disconnect"])",
                                     R"(2["disconnecting"])",
                                     R"(2["newListener"])",
                                     R"(2["removeListener"])",
                                     "2abc[\"a\"]",
                                     R"(2-1["a"])",
                                     R"(21.5["a"])",
                                     R"(2e1["a"])",
                                     R"(2["a"]x)",
                                     R"(2["a"]["b"])",
                                     "3{}",
                                     "3",
                                     "4{}",
                                     R"(4{"message":"x"})",
                                     R"(50-["a"])",
                                     R"(5["a"])",
                                     R"(5-["a"])",
                                     R"(511-["a"])",
                                     R"(51["a"])",
                                     R"(5-1-["a"])",
                                     R"(501-["a"])",
                                     R"(51.0-["a"])",
                                     R"(5+1-["a"])",
                                     R"(50x1-["a"])",
                                     R"(51-[])",
                                     R"(2["a",NaN])",
                                     R"(2["a",1e999])",
                                     R"(2["a","\ud800"])",
                                     R"(290071992547409930["a"])",
                                     "2[\"a\",\"\xFF\"]",
                                     R"(2["a",01])",
                                     R"(2["a",])",
                                     "2\xEF\xBB\xBF[\"a\"]"}) {
    EXPECT_FALSE(IsRead(bad)) << bad;
  }
  EXPECT_FALSE(IsRead(std::string_view("2[\"a\"]\0", 7)));
  EXPECT_FALSE(IsRead(std::string_view("2[\"a\"]\0x", 8)));
  EXPECT_FALSE(IsRead(std::string_view("2[\"a\0\"]", 7)));
}

TEST(SocketIoPacketTest, AnAckIdIsAtMostWhatAJavaScriptNumberCounts) {
  EXPECT_EQ(ReadPacket(R"(29007199254740991["a"])", {})->ack_id, 9007199254740991u);
  EXPECT_FALSE(IsRead(R"(29007199254740992["a"])"));
  EXPECT_FALSE(IsRead(R"(218446744073709551617["a"])"));
  EXPECT_EQ(ReadPacket("2" + std::string(31, '0') + "7[1]", {})->ack_id, 7u);
  EXPECT_FALSE(IsRead("2" + std::string(32, '0') + "7[1]"));
}

TEST(SocketIoPacketTest, DeepJsonIsRefusedBeforeATreeIsMade) {
  PacketLimits limits;
  limits.json_depth_max = 8;
  EXPECT_TRUE(
      ReadPacket("2[\"a\"," + std::string(7, '[') + std::string(7, ']') + "]", limits).ok());
  EXPECT_FALSE(
      ReadPacket("2[\"a\"," + std::string(8, '[') + std::string(8, ']') + "]", limits).ok());
  EXPECT_FALSE(ReadPacket("2[\"a\"," + std::string(1'000'000, '['), {}).ok());
  std::string objects = "2[\"a\",";
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(ReadPacket(objects, {}).ok());
}

TEST(SocketIoPacketTest, AttachmentsTakeThePlacesOfTheirPlaceholders) {
  Json payload = Json::parse(
      R"(["a",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}],{"_placeholder":false}])");
  ASSERT_TRUE(FillAttachments({"zero", "one"}, {}, payload).ok());
  EXPECT_EQ(payload[1], Json::binary({'o', 'n', 'e'}));
  EXPECT_EQ(payload[2][0], Json::binary({'z', 'e', 'r', 'o'}));
  EXPECT_TRUE(payload[3].is_object());
  Json twice = Json::parse(R"(["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}])");
  ASSERT_TRUE(FillAttachments({"x", "unused"}, {}, twice).ok());
  EXPECT_EQ(twice[1], twice[2]);
}

TEST(SocketIoPacketTest, WhatIsPlacedHasALimitHoweverOftenItIsPlaced) {
  const Json twice =
      Json::parse(R"(["a",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":0}]])");
  PacketLimits limits;
  limits.attachments_bytes_max = 8;
  Json payload = twice;
  EXPECT_TRUE(FillAttachments({"1234"}, limits, payload).ok());
  payload = twice;
  EXPECT_FALSE(FillAttachments({"12345"}, limits, payload).ok());
}

TEST(SocketIoPacketTest, PlaceholdersOutOfRangeAreIllegal) {
  for (const char* number : {"1", "-1", "0.5", "\"0\"", "null", "18446744073709551615"}) {
    Json payload = Json::parse(std::string(R"(["a",{"_placeholder":true,"num":)") + number + "}]");
    EXPECT_FALSE(FillAttachments({"zero"}, {}, payload).ok()) << number;
  }
  Json without = Json::parse(R"(["a",{"_placeholder":true}])");
  EXPECT_FALSE(FillAttachments({"zero"}, {}, without).ok());
}

TEST(SocketIoPacketTest, WritesAsTheReferenceDoes) {
  EXPECT_EQ(WriteEvent({}, "hello", Json::array({1, "x"})).text, R"(2["hello",1,"x"])");
  EXPECT_EQ(WriteEvent({"/n", 12}, "e", Json::array()).text, R"(2/n,12["e"])");
  EXPECT_EQ(WriteEvent({}, "e", Json{{"a", 1}}).text, R"(2["e",{"a":1}])");
  EXPECT_EQ(WriteAck({"/", 0}, Json::array()).text, "30[]");
  EXPECT_EQ(WritePlain(PacketType::kDisconnect, "/n", nullptr), "1/n,");
  EXPECT_EQ(EncodedEvent::FromJson("a\"b", R"({"c":1},2)").packet(), R"(2["a\"b",{"c":1},2])");
  EXPECT_EQ(EncodedEvent::FromJson("a", "").packet(), R"(2["a"])");
}

TEST(SocketIoPacketTest, TextThatIsNotUtf8IsReplacedRatherThanSent) {
  EXPECT_EQ(WriteEvent({}, "a", Json::array({"\xFF"})).text, "2[\"a\",\"\xEF\xBF\xBD\"]");
}

TEST(SocketIoPacketTest, ValuesAreWrittenAsJsonStringifyDoes) {
  const double infinity = std::numeric_limits<double>::infinity();
  const struct {
    Json value;
    const char* text;
  } rows[] = {
      {std::nan(""), "null"},
      {infinity, "null"},
      {-infinity, "null"},
      {-0.0, "0"},
      {0.1, "0.1"},
      {1.0, "1"},
      {-2.5, "-2.5"},
      {1e20, "100000000000000000000"},
      {1e21, "1e+21"},
      {1.5e300, "1.5e+300"},
      {123456789012345680000.0, "123456789012345680000"},
      {1e-6, "0.000001"},
      {1.25e-5, "0.0000125"},
      {1e-7, "1e-7"},
      {5e-324, "5e-324"},
      {9007199254740993, "9007199254740993"},
      {"\b\f\n\r\t\x1e\"\\/", R"("\b\f\n\r\t\u001e\"\\/")"},
      {"\x7f\xE2\x80\xA8\xF0\x9F\x98\x80", "\"\x7f\xE2\x80\xA8\xF0\x9F\x98\x80\""},
      // A lone surrogate is no text here: what no UTF-8 is becomes U+FFFD, byte by byte.
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(WriteAck({"/", 0}, Json::array({row.value})).text, std::string("30[") + row.text + "]");
    EXPECT_EQ(WriteEvent({}, "e", Json::array({{{"a", {row.value}}}})).text,
              std::string(R"(2["e",{"a":[)") + row.text + "]}]");
  }
}

// Short ways are for plain texts only.
TEST(SocketIoPacketTest, EachByteInATextIsWrittenAsTheLibraryWritesIt) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = "plain" + std::string(1, static_cast<char>(byte)) + "plain";
    EXPECT_EQ(WriteString(text), Json(text).dump(-1, ' ', false, Json::error_handler_t::replace))
        << byte;
    const std::string event = EncodedEvent::FromJson(text, "{}").packet();
    EXPECT_EQ(event, "2[" + WriteString(text) + ",{}]") << byte;
  }
}

TEST(SocketIoPacketTest, BinaryBecomesPlaceholdersInDepthFirstOrder) {
  const WrittenPacket packet = WriteEvent(
      {}, "a", Json::array({Json::binary({1}), {{"x", Json::binary({2})}}, {Json::binary({3})}}));
  EXPECT_EQ(packet.text,
            R"(53-["a",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}},)"
            R"([{"_placeholder":true,"num":2}]])");
  EXPECT_EQ(packet.attachments, (std::vector<std::string>{"\x01", "\x02", "\x03"}));
}

}  // namespace
}  // namespace sessioncast::socketio
