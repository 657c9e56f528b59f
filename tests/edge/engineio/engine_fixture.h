// An engine that echoes, for tests that look at it from outside.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/engineio/engine.h"
#include "gtest/gtest.h"
#include "tests/support/raw_client.h"

namespace sessioncast::engineio {

// Why connections ended, in order; filled on I/O threads.
class CloseLog {
 public:
  void Add(DisconnectReason reason) {
    std::lock_guard lock(mutex_);
    reasons_.push_back(reason);
    changed_.notify_all();
  }
  // The reasons, as soon as there are so many.
  std::vector<DisconnectReason> WaitFor(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, tests::kPatience, [&] { return reasons_.size() >= count; });
    return reasons_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<DisconnectReason> reasons_;
};

// Echoes; "close" ends the connection, "big" sends a megabyte, "two" sends two messages.
class EchoSink : public MessageSink {
 public:
  EchoSink(Connection& connection, CloseLog& log) : connection_(connection), log_(log) {}
  void OnText(std::string_view text) override {
    if (text == "close") return connection_.Close(DisconnectReason::kForcedServerClose);
    if (text == "limit") return connection_.Close(DisconnectReason::kLimit);
    if (text == "big") return Send(std::string(1'000'000, 'x'));
    Send(std::string(text));
    if (text == "two") Send("three");
  }
  void OnBinary(std::string_view bytes) override {
    connection_.SendBinary(std::string(bytes));
  }
  void OnDrained() override {}
  void OnClose(DisconnectReason reason) override { log_.Add(reason); }

 private:
  void Send(std::string text) { connection_.SendText(std::move(text)); }

  Connection& connection_;
  CloseLog& log_;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    options_.listen = "localhost:0";
    options_.io_threads = 2;
    options_.path = "/engine.io/";
    options_.accept = [this](Connection& connection) {
      return std::make_unique<EchoSink>(connection, closes_);
    };
  }

  void Start() {
    engine_ = std::make_unique<Engine>(options_);
    const absl::Status status = engine_->Start();
    ASSERT_TRUE(status.ok()) << status;
  }

  uint16_t port() {
    if (engine_ == nullptr) Start();
    return engine_->port();
  }

  tests::RawResponse Get(const std::string& target,
                         std::map<std::string, std::string> headers = {}) {
    return tests::Fetch(port(), {"GET", target, std::move(headers), ""});
  }

  // The sid of a new polling connection.
  std::string OpenPolling() { return SidOf(Get(kPolling).body); }

  static std::string SidOf(std::string_view open_packet) {
    const size_t begin = open_packet.find("\"sid\":\"");
    return begin == std::string_view::npos ? "" : std::string(open_packet.substr(begin + 7, 20));
  }

  static std::string PollTarget(const std::string& sid) {
    return std::string(kPolling) + "&sid=" + sid;
  }
  static std::string UpgradeTarget(const std::string& sid) {
    return std::string(kWebSocket) + "&sid=" + sid;
  }

  tests::RawResponse Poll(const std::string& sid) { return Get(PollTarget(sid)); }
  tests::RawResponse Post(const std::string& sid, std::string body,
                          std::map<std::string, std::string> headers = {}) {
    return tests::Fetch(port(), {"POST", PollTarget(sid), std::move(headers), std::move(body)});
  }
  bool IsGone(const std::string& sid) {
    const tests::RawResponse response = Poll(sid);
    return response.status == 400 &&
           response.body == R"({"code":1,"message":"Session ID unknown"})";
  }

  // A poll that is pending: sent, and known to have arrived.
  tests::RawTcp PendingPoll(const std::string& sid) {
    tests::RawTcp tcp(port());
    tests::Send(tcp, {"GET", PollTarget(sid), {}, ""});
    // The answer to a later request of the same session says that this one has been handled.
    tests::Fetch(port(), {"POST", PollTarget(sid), {}, "3"});
    return tcp;
  }

  static constexpr const char* kPolling = "/engine.io/?EIO=4&transport=polling";
  static constexpr const char* kWebSocket = "/engine.io/?EIO=4&transport=websocket";

  CloseLog closes_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace sessioncast::engineio
