// The load tool's Engine.IO connections, byte by byte.
#include "bench/load/link.h"

#include <vector>

#include "gtest/gtest.h"

namespace sessioncast::bench {
namespace {

using Packets = std::vector<std::string>;

// Bytes given so many at a time; the packets that came of them. "broken" last, if they were
// refused.
Packets TakeAll(Link& link, const std::string& bytes, size_t at_a_time) {
  Packets packets;
  for (size_t at = 0; at < bytes.size(); at += at_a_time) {
    const bool is_well = link.Take(std::string_view(bytes).substr(at, at_a_time),
                                   [&](std::string_view packet) { packets.emplace_back(packet); });
    if (is_well) continue;
    packets.emplace_back("broken");
    break;
  }
  return packets;
}

std::string ServerFrame(const std::string& text) {
  std::string frame(1, '\x81');
  if (text.size() < 126) return frame + static_cast<char>(text.size()) + text;
  if (text.size() < 65'536) {
    frame.push_back(126);
  } else {
    frame.push_back(127);
    frame.append(4, '\0');
    frame.push_back(static_cast<char>(text.size() >> 24));
    frame.push_back(static_cast<char>(text.size() >> 16));
  }
  frame.push_back(static_cast<char>(text.size() >> 8));
  frame.push_back(static_cast<char>(text.size()));
  return frame + text;
}

std::string Response(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(WebSocketLinkTest, FramesOfAllLengthsAreFoundHoweverTheyAreCut) {
  const std::string middle(300, 'm');
  const std::string large(70'000, 'l');
  const std::string bytes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" +
                            ServerFrame("0{}") + ServerFrame(middle) + ServerFrame(large) +
                            ServerFrame("2");
  for (const size_t at_a_time : {size_t{1}, size_t{7}, size_t{1'000}, bytes.size()}) {
    const std::unique_ptr<Link> link = MakeLink(Transport::kWebSocket);
    link->Begin("localhost:1");
    EXPECT_EQ(TakeAll(*link, bytes, at_a_time), (Packets{"0{}", middle, large, "2"}));
  }
}

TEST(WebSocketLinkTest, ACloseFrameOrARefusedHandshakeIsTheEnd) {
  std::unique_ptr<Link> link = MakeLink(Transport::kWebSocket);
  EXPECT_EQ(TakeAll(*link, "HTTP/1.1 400 Bad Request\r\n\r\n", 100), Packets{"broken"});
  link = MakeLink(Transport::kWebSocket);
  const std::string upgraded = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
  EXPECT_EQ(TakeAll(*link, upgraded + std::string("\x88\0", 2), 100), Packets{"broken"});
}

TEST(WebSocketLinkTest, WhatIsPutLeavesAsAMaskedFrame) {
  const std::unique_ptr<Link> link = MakeLink(Transport::kWebSocket);
  link->Put("40");
  EXPECT_EQ(link->TakeOutput(), std::string("\x81\x82\0\0\0\0"
                                            "40",
                                            8));
  EXPECT_EQ(link->TakeOutput(), "");
  link->Put(std::string(200, 'x'));
  EXPECT_EQ(link->TakeOutput(), std::string("\x81\xFE\0\xC8\0\0\0\0", 8) + std::string(200, 'x'));
}

TEST(PollingLinkTest, GetsAndPostsWhatThereIsOneAtATime) {
  const std::unique_ptr<Link> link = MakeLink(Transport::kPolling);
  EXPECT_EQ(link->Begin("localhost:1"),
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
  EXPECT_EQ(link->TakeOutput(), "");  // it waits
  const std::string open = R"(0{"sid":"abc","upgrades":[]})";
  EXPECT_EQ(TakeAll(*link, Response(open), 5), Packets{open});
  link->Put("40");
  link->Put("3");
  EXPECT_EQ(link->TakeOutput(),
            "POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: localhost:1\r\n"
            "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 4\r\n\r\n40\x1e"
            "3");
  link->Put("41");
  EXPECT_EQ(link->TakeOutput(), "");
  EXPECT_EQ(TakeAll(*link, Response("ok"), 100), Packets{});
  EXPECT_NE(link->TakeOutput().find("\r\n\r\n41"), std::string::npos);
  EXPECT_EQ(TakeAll(*link, Response("ok"), 100), Packets{});
  EXPECT_EQ(link->TakeOutput(),
            "GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\n"
            "Host: localhost:1\r\n\r\n");
  EXPECT_EQ(TakeAll(*link,
                    Response("40{}\x1e"
                             "2"),
                    100),
            (Packets{"40{}", "2"}));
}

TEST(PollingLinkTest, AnErrorIsTheEnd) {
  const std::unique_ptr<Link> link = MakeLink(Transport::kPolling);
  link->Begin("localhost:1");
  EXPECT_EQ(TakeAll(*link, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno", 100),
            Packets{"broken"});
}

}  // namespace
}  // namespace sessioncast::bench
