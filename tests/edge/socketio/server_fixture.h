// A Socket.IO server for tests that look at it from outside, and a client that speaks packets over
// a websocket or by polling.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "edge/socketio/server.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"

namespace sessioncast::socketio {

// Lines in the order in which they were written, by any thread.
class Log {
 public:
  void Add(std::string line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  std::vector<std::string> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, tests::kPatience, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    options_.listen = "localhost:0";
    options_.io_threads = 2;
  }

  // Before it is started, for handlers.
  Server& server() {
    if (server_ == nullptr) server_ = std::make_unique<Server>(options_, observer_);
    return *server_;
  }

  // Echoes "echo", in every namespace there is.
  void Echo(std::string_view name_space = "/") {
    server().Of(name_space).On("echo", [](Socket& socket, const Json& arguments, Ack ack) {
      socket.Emit("echo", arguments);
      ack(arguments);
    });
  }

  uint16_t port() {
    if (!started_) {
      const absl::Status status = server().Start();
      EXPECT_TRUE(status.ok()) << status;
      started_ = true;
    }
    return server_->port();
  }

  // A websocket whose open packet has been read.
  tests::RawWebSocket Open() {
    tests::RawWebSocket socket(port(), "/socket.io/?EIO=4&transport=websocket");
    EXPECT_EQ(socket.ReadText().substr(0, 2), "0{");
    return socket;
  }

  // A websocket that has joined "/".
  tests::RawWebSocket Join() {
    tests::RawWebSocket socket = Open();
    socket.SendText("40");
    EXPECT_EQ(socket.ReadText().substr(0, 8), "40{\"sid\"");
    return socket;
  }

  static void ExpectEcho(tests::RawWebSocket& socket) {
    socket.SendText(R"(42["echo",1])");
    EXPECT_EQ(socket.ReadText(), R"(42["echo",1])");
  }

  std::string OpenPolling() {
    const std::string body =
        tests::Fetch(port(), {"GET", "/socket.io/?EIO=4&transport=polling", {}, ""}).body;
    return body.substr(9, 20);
  }
  std::string Poll(const std::string& sid) {
    return tests::Fetch(port(), {"GET", PollTarget(sid), {}, ""}).body;
  }
  int Post(const std::string& sid, std::string body) {
    return tests::Fetch(port(), {"POST", PollTarget(sid), {}, std::move(body)}).status;
  }
  static std::string PollTarget(const std::string& sid) {
    return "/socket.io/?EIO=4&transport=polling&sid=" + sid;
  }

  Options options_;
  Observer observer_;
  Log log_;
  std::unique_ptr<Server> server_;
  bool started_ = false;
};

}  // namespace sessioncast::socketio
