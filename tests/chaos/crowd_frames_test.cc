#include "tests/chaos/crowd_frames.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/support/history_recorder.h"

namespace sessioncast::chaos {
namespace {

std::string ServerText(const std::string& text) {
  std::string bytes = "\x81";
  if (text.size() <= 125) return bytes + static_cast<char>(text.size()) + text;
  if (text.size() <= 0xFFFF) {
    bytes += '\x7e';
    bytes += static_cast<char>(text.size() >> 8);
    return bytes + static_cast<char>(text.size()) + text;
  }
  bytes += '\x7f';
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(text.size() >> shift);
  return bytes + text;
}

std::string PacketOf(const std::string& name, const std::string& fields) {
  return "42[\"" + name + "\",{\"sessionId\":\"s\"," + fields +
         R"(,"timestamp":"2026-01-31T12:34:56.789Z","sequence":7,"epoch":"e"}])";
}

TEST(CrowdFramesTest, AFrameIsTakenOnceItIsWhole) {
  for (const size_t size : {0, 1, 125, 126, 127, 0xFFFF, 0x10000}) {
    const std::string text(size, 'x');
    const std::string bytes = ServerText(text);
    for (const size_t part : {size_t{0}, size_t{1}, bytes.size() / 2, bytes.size() - 1}) {
      std::string_view rest = std::string_view(bytes).substr(0, part);
      EXPECT_FALSE(TakeFrame(rest).has_value()) << part << " of " << bytes.size();
      EXPECT_EQ(rest.size(), part);
    }
    const std::string more = bytes + "more";
    std::string_view rest = more;
    const std::optional<ServerFrame> frame = TakeFrame(rest);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->opcode, 1);
    EXPECT_EQ(frame->payload, text);
    EXPECT_EQ(rest, "more");
  }
}

TEST(CrowdFramesTest, AnEventIsTheSameOneThatAPublisherWroteDown) {
  v1::Event event;
  event.set_session_id("s");
  event.mutable_progress()->set_status(v1::SESSION_STATUS_PROCESSING);
  event.mutable_progress()->set_percent(40);
  (*event.mutable_progress()->mutable_result()->mutable_fields())["text"].set_string_value("größe");
  CrowdEvents events;
  const CrowdEvent& seen = events.Parse(
      PacketOf("progress", R"("status":"PROCESSING","progress":40,"result":{"text":"größe"})"));
  nlohmann::json line = test::Identity(event);
  line.update({{"session", "s"},
               {"epoch", "e"},
               {"sequence", 7},
               {"skipped", 0},
               {"time", 1'769'862'896'789}});
  EXPECT_EQ(seen.line, line);
}

TEST(CrowdFramesTest, TheSameEventDeclaredWithAGapHasItsOwnLine) {
  CrowdEvents events;
  const std::string packet = PacketOf("error", R"("error":"e")");
  std::string skipping = packet;
  skipping.insert(skipping.size() - 2, R"(,"skipped":3)");
  EXPECT_EQ(events.Parse(packet).line["skipped"], 0);
  EXPECT_EQ(events.Parse(skipping).line["skipped"], 3);
  EXPECT_EQ(events.Parse(packet).line["hash"], events.Parse(skipping).line["hash"]);
}

TEST(CrowdFramesTest, WhatIsNoEventOfALogHasNoLine) {
  CrowdEvents events;
  EXPECT_TRUE(events.Parse(R"(42["connected",{"socketId":"a"}])").line.is_null());
  EXPECT_TRUE(events.Parse(R"(42["error",{"sessionId":"s","error":"no"}])").line.is_null());
}

}  // namespace
}  // namespace sessioncast::chaos
