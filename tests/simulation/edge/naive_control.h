// Control as an edge sees it: a plain log a session, which loses its oldest events, its end or all
// of itself; pages and folds looked up from the beginning each time; what an Attach stream brings.
//
// Single-threaded. Knows the rules from GUARANTEES and the proto's text, and nothing of control's
// history, fold or pager.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edge/hub.h"
#include "tests/simulation/naive_log.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

class NaiveControl {
 public:
  NaiveControl(Scheduler& scheduler, std::vector<std::string> sessions);

  // Somebody publishes, or a log loses something.
  void Act();
  edge::Page Read(const edge::ReadRequest& request);

  const std::vector<std::string>& sessions() const { return sessions_; }
  // The life that the session is in.
  const NaiveLife& Current(const std::string& session_id) const { return lives_.at(session_id).back(); }
  // Null: it had none with this epoch.
  const NaiveLife* Find(const std::string& session_id, const std::string& epoch) const;
  edge::Position TopOf(const std::string& session_id) const;
  // NaiveLife::Fold, remembered.
  const std::vector<uint64_t>& FoldOf(const NaiveLife& life, uint64_t through) const;
  // Whether reading can go on behind it.
  bool Has(const std::string& session_id, const edge::Position& position) const;
  uint64_t published() const { return published_; }

 private:
  void Publish(NaiveLife& life);
  v1::Event NewEvent(const std::string& label);
  void Trim(NaiveLife& life);
  void Lose(const std::string& session_id);
  edge::Page ReadLog(const edge::ReadRequest& request, const NaiveLife& life);
  edge::Page ReadFold(const edge::ReadRequest& request, const NaiveLife& life);

  Scheduler& scheduler_;
  const std::vector<std::string> sessions_;
  std::map<std::string, std::vector<NaiveLife>> lives_;  // never empty
  mutable std::map<std::pair<std::string, uint64_t>, std::vector<uint64_t>> folds_;
  uint64_t published_ = 0;
  uint64_t epochs_ = 0;
  uint64_t questions_ = 0;
};

// What one I/O thread of an edge has of control: its Attach stream, and the pages it asked for.
class ControlLine {
 public:
  ControlLine(Scheduler& scheduler, NaiveControl& control)
      : scheduler_(scheduler), control_(control) {}

  // How the hub asks. `retry_later`: a page was not to be had.
  edge::Hub::Upward MakeUpward();
  // Does the next thing for the hub, or loses it; false: there is nothing to do.
  bool Step(edge::Hub& hub);
  // The stream ends, and what was under way on it is lost.
  void Lose(edge::Hub& hub);
  // Of 100 pages, so many do not come.
  void FailSome(uint32_t percent) { fail_percent_ = percent; }
  bool attached() const { return attached_; }
  // A page did not come since this was asked last.
  bool TakeRetry() { return std::exchange(retry_, false); }

 private:
  struct Interest {
    std::string session_id;
    std::optional<edge::Position> at;  // sent up to here; nothing: it is to be announced
  };
  struct Batch {
    uint32_t interest_id = 0;
    std::optional<edge::Position> announced;
    std::vector<std::string> events;
  };
  struct AskedPage {
    edge::ReadRequest request;
    std::optional<edge::Page> page;  // read, and on its way
  };

  bool Gather();
  bool Announce(uint32_t interest_id, Interest& interest);
  void Arrive(edge::Hub& hub);
  void Answer(edge::Hub& hub);

  Scheduler& scheduler_;
  NaiveControl& control_;
  bool attached_ = false;
  bool retry_ = false;
  uint32_t fail_percent_ = 0;
  std::map<uint32_t, Interest> interests_;
  std::deque<Batch> down_;
  std::vector<AskedPage> reads_;
};

}  // namespace sessioncast::test
