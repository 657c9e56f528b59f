// What one client has seen of one session, and what it may see next: the rules of the browser's
// contract, of resuming and of recovery, held to the naive log.
//
// Single-threaded. Is told of each packet when the client takes it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "edge/wire.h"
#include "nlohmann/json.hpp"
#include "tests/simulation/edge/naive_control.h"

namespace sessioncast::test {

// A subscribe or an unsubscribe that was sent on this connection.
struct SessionRequest {
  enum class Kind { kSubscribe, kUnsubscribe };
  Kind kind = Kind::kSubscribe;
  std::optional<edge::Position> after;
  uint64_t ack_id = 0;
  bool in_range = true;  // `after`, when it was sent
  edge::Position told;  // by its notice, when that has come
};

class SessionView {
 public:
  SessionView(const NaiveControl& control, std::string session_id)
      : control_(control), session_id_(std::move(session_id)) {}

  bool held() const { return held_; }
  bool waits() const { return !requests_.empty() || !acks_due_.empty(); }
  const edge::Position& at() const { return at_; }
  uint64_t seen() const { return seen_; }

  // What the client does.
  void Sent(SessionRequest request);
  // A new connection; the client goes on from nothing, or from where it was.
  void Begin();
  void Recover(bool in_fold);

  // What the client gets. "", or the rule that is broken.
  std::string OnSubscribed(const edge::Position& position);
  std::string OnUnsubscribed();
  std::string OnResync(const edge::Position& position);
  std::string OnEvent(const std::string& name, const nlohmann::json& payload);
  std::string OnAck(uint64_t ack_id, const nlohmann::json& body);
  // What the client's cursor says of the session; nothing: it is not in it.
  std::string OnCursor(const std::optional<edge::Place>& entry);
  // Once all is quiet.
  std::string CheckAtTop();

 private:
  struct Tops {
    bool open = false;  // none was needed yet, and all may be
    std::set<uint64_t> may_be;
  };

  const NaiveLife* Life() const { return control_.Find(session_id_, at_.epoch); }
  void ReadsLog();
  void ReadsFold();
  void CloseTops();
  bool Explains(uint64_t top, uint64_t sequence) const;
  bool MayLeaveOut(uint64_t top, uint64_t until) const;
  bool IsFoldComplete(uint64_t top) const;
  bool IsAnyAskedFor(const edge::Position& position) const;

  const NaiveControl& control_;
  const std::string session_id_;
  bool held_ = false;
  edge::Position at_;
  // The tops of the fold that explain what it was shown: what is not above is of that fold, what is
  // above is of the log.
  Tops tops_;
  bool awaits_resync_ = false;
  bool may_resync_ = false;  // one of those that were answered together asked for another place
  std::deque<SessionRequest> requests_;  // in order, their notice has not come
  std::deque<SessionRequest> acks_due_;
  std::optional<edge::Position> recovered_at_;
  uint64_t seen_ = 0;
};

}  // namespace sessioncast::test
