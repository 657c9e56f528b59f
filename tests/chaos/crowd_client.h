// One of thousands of clients in one thread: Socket.IO over websocket by the byte, with the resume
// rule and the pauses of the stock client before it comes again. It writes its own history
// (tests/support/HISTORY.md).
//
// Threads: one, that of its loop. Invariant: at most one connection; what it waits for is said by
// descriptor() and wake_at().
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "nlohmann/json.hpp"
#include "tests/chaos/crowd_frames.h"
#include "tests/support/history_recorder.h"

namespace sessioncast::chaos {

// What all of a crowd share.
struct CrowdSetting {
  std::string directory;
  uint16_t port = 0;
  std::mt19937_64 random;
  CrowdEvents events;
  uint64_t delivered = 0;
  uint64_t connects = 0;
  uint64_t refused = 0;
};

class CrowdClient {
 public:
  using Time = std::chrono::steady_clock::time_point;

  CrowdClient(CrowdSetting& setting, const std::string& who, std::string session_id,
              Time first_connect);
  ~CrowdClient();
  CrowdClient(const CrowdClient&) = delete;

  // Opens its connection, or gives up the one that did not come about; at wake_at().
  void Wake(Time now);
  // Something came, or the connection stands, or is gone.
  void OnReady(Time now);
  // -1: none.
  int descriptor() const { return descriptor_; }
  Time wake_at() const { return wake_at_; }

  // Whether it subscribed again since BeginCount.
  bool is_back() const { return is_back_; }
  void BeginCount() { is_back_ = false; }
  bool is_connected() const { return step_ == Step::kJoined; }
  // In words what it lacks of its session's top; "": nothing.
  std::string Missing(const nlohmann::json& tops) const;
  void End();

 private:
  enum class Step { kAway, kConnecting, kUpgrading, kOpening, kJoined };

  void Connect(Time now);
  // Until there is no more; false: the connection is over.
  bool Read();
  bool TakeHead();
  bool TakeFrames();
  bool TakePacket(std::string_view packet);
  bool TakeEvent(std::string_view packet);
  bool Join();
  bool Send(std::string_view bytes);
  void Lose(Time now);

  CrowdSetting& setting_;
  const std::string who_;
  const std::string session_id_;
  test::HistoryRecorder history_;
  int descriptor_ = -1;
  Step step_ = Step::kAway;
  Time wake_at_;
  int attempts_ = 0;
  std::string received_;
  std::string epoch_;
  uint64_t sequence_ = 0;
  bool is_subscribed_ = false;
  bool is_back_ = false;
};

}  // namespace sessioncast::chaos
