// A browser's page with the stock Socket.IO client: one that resumes by positions, one that
// recovers by the cursor, one that takes the fold each time. Subscribes and unsubscribes as the
// seed has it, takes its bytes at its own pace, loses its connection at any byte, and comes back to
// any edge.
//
// Single-threaded. Each packet is held to the rules when it is taken.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "edge/engineio/io_loop.h"
#include "nlohmann/json.hpp"
#include "tests/simulation/edge/naive_control.h"
#include "tests/simulation/edge/session_view.h"
#include "tests/simulation/edge/simulated_edge.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

class StockClient {
 public:
  enum class Kind { kResumes, kRecovers, kFolds };
  using Trace = std::function<void(const std::string&)>;

  StockClient(Scheduler& scheduler, const NaiveControl& control, Violations& violations, Kind kind,
              uint32_t number, Trace trace);

  bool away() const { return pipe_ == nullptr; }
  void Connect(SimulatedEdge& edge);
  // The user does something; nothing while it is not connected.
  void Act();
  // Takes at most so many bytes; false: there are none.
  bool Take(size_t bytes_max);
  // The connection is gone, with all that has not been taken.
  void Die();

  // Its pace from now on: of 100 times it takes bytes, so many it takes few.
  void set_slow(uint32_t percent) { slow_percent_ = percent; }
  void TakeAll();
  size_t Pace();

  uint64_t seen() const;
  uint64_t recovered() const { return recovered_; }
  // Once all is quiet.
  void CheckAtRest();

 private:
  using Offset = std::map<std::string, edge::Place>;

  void Send(std::string_view packet);
  void SendConnect();
  void Subscribe(const std::string& session_id, std::optional<edge::Position> after);
  void Unsubscribe(const std::string& session_id);
  void ComeBack(const std::string& session_id);
  void ReadFrames();
  void OnPacket(std::string_view packet);
  void OnConnected(const nlohmann::json& reply);
  void OnEvent(const nlohmann::json& packet);
  void OnSessionEvent(const std::string& name, const nlohmann::json& payload);
  void OnOffset(const nlohmann::json& offset);
  void OnAck(std::string_view packet);
  void Expect(const std::string& session_id, const std::string& broken);
  void Violate(const std::string& text);

  Scheduler& scheduler_;
  const NaiveControl& control_;
  Violations& violations_;
  const Kind kind_;
  const std::string name_;
  const Trace trace_;
  std::map<std::string, SessionView> views_;
  std::set<std::string> wanted_;
  std::set<std::string> known_;  // a position of them is known

  std::shared_ptr<engineio::Pipe> pipe_;
  std::string in_;
  enum class Step { kOpening, kConnecting, kGreeted, kConnected } step_ = Step::kOpening;
  std::map<uint64_t, std::string> acks_;  // the session of each that is awaited
  uint64_t next_ack_id_ = 0;
  std::string pid_;
  std::string sid_;
  std::string offset_;
  std::string presented_pid_;
  Offset presented_;
  uint32_t slow_percent_ = 0;
  uint64_t recovered_ = 0;
};

}  // namespace sessioncast::test
