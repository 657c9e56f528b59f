// The server as its user sees it: life cycle, threads, observers, plain requests.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>

#include "tests/edge/socketio/server_fixture.h"

namespace sessioncast::socketio {
namespace {

using tests::RawWebSocket;

class SocketIoServerTest : public ServerTest {};

TEST_F(SocketIoServerTest, ListensOnBothFamiliesOfLocalhostOnOnePort) {
  port();
  const std::vector<std::string> addresses = server().addresses();
  ASSERT_GE(addresses.size(), 1u);
  for (const std::string& address : addresses) {
    EXPECT_NE(address.find(":" + std::to_string(port())), std::string::npos) << address;
  }
}

TEST_F(SocketIoServerTest, HandlersRunOnTheThreadThatOwnsTheSocket) {
  std::atomic<int> wrong = 0;
  const auto check = [&wrong](Socket& socket) {
    if (!socket.thread().IsCurrent()) ++wrong;
  };
  server().Of("/").OnConnect(check);
  server().Of("/").On("where", [check](Socket& socket, const Json&, Ack ack) {
    check(socket);
    ack(Json::array({socket.thread().index()}));
  });
  std::vector<RawWebSocket> sockets;
  std::vector<std::string> threads;
  for (int i = 0; i < 4; ++i) {
    sockets.push_back(Join());
    sockets.back().SendText(R"(420["where"])");
    threads.push_back(sockets.back().ReadText());
  }
  EXPECT_EQ(wrong, 0);
  std::sort(threads.begin(), threads.end());
  EXPECT_EQ(threads, (std::vector<std::string>{"430[0]", "430[0]", "430[1]", "430[1]"}));
}

TEST_F(SocketIoServerTest, FromElsewhereASocketIsReachedThroughItsThread) {
  std::promise<std::weak_ptr<Socket>> joined;
  server().Of("/").OnConnect([&](Socket& socket) { joined.set_value(socket.weak_from_this()); });
  RawWebSocket client = Join();
  const std::weak_ptr<Socket> weak = joined.get_future().get();
  weak.lock()->thread().Post([weak] {
    if (std::shared_ptr<Socket> socket = weak.lock()) socket->Emit("hello", Json::array({"you"}));
  });
  EXPECT_EQ(client.ReadText(), R"(42["hello","you"])");
}

TEST_F(SocketIoServerTest, WhatIsAttachedGoesWithTheSocket) {
  struct Note : Attachment {
    explicit Note(Log& log) : log(log) {}
    ~Note() override { log.Add("gone"); }
    Log& log;
  };
  server().Of("/").OnConnect(
      [this](Socket& socket) { socket.set_attachment(std::make_unique<Note>(log_)); });
  server().Of("/").OnDisconnect([this](Socket& socket, DisconnectReason) {
    EXPECT_NE(socket.attachment(), nullptr);
    log_.Add("disconnected");
  });
  RawWebSocket socket = Join();
  socket.SendText("1");
  EXPECT_EQ(log_.WaitFor(2), (std::vector<std::string>{"disconnected", "gone"}));
}

TEST_F(SocketIoServerTest, ObserversSeeSocketsAndPackets) {
  observer_.connected = [this](const Socket& socket) { log_.Add("connected"); };
  observer_.disconnected = [this](const Socket&, DisconnectReason reason) {
    log_.Add("disconnected: " + std::string(ToString(reason)));
  };
  observer_.packet = [this](std::string_view sid, std::string_view direction, std::string_view type,
                            size_t bytes) {
    EXPECT_LT(sid.size(), 20u) << "the whole sid is the client's credential";
    if (direction == "received") {
      log_.Add(std::string(type) + " " + std::to_string(bytes));
    }
  };
  RawWebSocket socket = Join();
  socket.SendText("1");
  EXPECT_EQ(log_.WaitFor(4), (std::vector<std::string>{"message 1", "connected", "close 0",
                                                       "disconnected: transport close"}));
}

TEST_F(SocketIoServerTest, OtherRequestsAreAnsweredBesideTheClientsFiles) {
  options_.client_files["socket.io.js"] = {"application/javascript; charset=utf-8", "code()"};
  options_.client_version = "4.8.1";
  server().OnRequest([](IoThread&, const HttpRequest& request, HttpReply reply) {
    HttpResponse response;
    response.status = 201;
    response.body = request.method + request.path;
    reply(response);
  });
  EXPECT_EQ(tests::Fetch(port(), {"GET", "/api", {}, ""}).body, "GET/api");
  EXPECT_EQ(tests::Fetch(port(), {"GET", "/socket.io/socket.io.js", {}, ""}).body, "code()");
}

TEST_F(SocketIoServerTest, ConnectionsAreCountedUntilTheyEnd) {
  {
    RawWebSocket one = Join();
    RawWebSocket two = Join();
    EXPECT_EQ(server().connections(), 2u);
    server().StopAccepting();
    one.SendText("1");
    EXPECT_EQ(one.ReadClose(), 1005);
    EXPECT_EQ(server().connections(), 1u);
  }
  server().Stop();
  EXPECT_EQ(server().connections(), 0u);
}

TEST_F(SocketIoServerTest, ClientsOnAllTransportsComeAndGoWithoutATrace) {
  Echo();
  port();
  for (int i = 0; i < 100; ++i) {
    RawWebSocket socket = Join();
    if (i % 3 == 0) socket.SendText("1");
    if (i % 3 == 1) socket.tcp().Reset();
    const std::string sid = OpenPolling();
    Post(sid, "40");
    if (i % 2 == 0) Poll(sid);
    Post(sid, "1");
  }
  const auto deadline = std::chrono::steady_clock::now() + tests::kPatience;
  while (server().connections() > 0 && std::chrono::steady_clock::now() < deadline) {
    Join().SendText("1");
  }
  EXPECT_LE(server().connections(), 1u);
}

}  // namespace
}  // namespace sessioncast::socketio
