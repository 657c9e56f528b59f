// Those who publish, ask and answer: by the seed, with retries, keys used twice and keys used for
// something else; and what each answer must be worth.
//
// Single-threaded. An answer is held to the naive log at the moment at which it is given: what it
// rests on is durable then.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/broker.h"
#include "tests/simulation/naive_log.h"
#include "tests/simulation/scheduler.h"

namespace sessioncast::test {

struct PublisherOptions {
  std::vector<std::string> sessions;
  // Of 100 events, so many end their session.
  uint32_t ends_percent = 1;
};

class Publishers {
 public:
  Publishers(Scheduler& scheduler, const NaiveLog& log, Violations& violations,
             PublisherOptions options)
      : scheduler_(scheduler), log_(log), violations_(violations), options_(std::move(options)) {}

  // Calls the broker with something.
  void Act(control::Broker& broker);
  // The calls that are not answered will not be.
  void LoseCalls();
  size_t open_calls() const { return calls_open_; }
  uint64_t acked() const { return acked_; }
  uint64_t unknown() const { return unknown_; }

  // Once all is healed: publishes an event into the session; then, whether that was acknowledged,
  // or refused because the session has ended.
  void Probe(control::Broker& broker, const std::string& session_id);
  void CheckProbe();
  // Once all is quiet: what the log has of all that was tried.
  void CheckLog();

 private:
  // An event that is to be published, with all its calls.
  struct Attempt {
    uint64_t number = 0;
    v1::Event event;
    std::string label;
    std::string key;
    uint32_t calls = 0;
    uint32_t calls_open = 0;
    // Whether it may be in the log, and what is known of where.
    bool may_be_stored = false;
    bool unknown = false;
    std::vector<v1::Position> acked_at;
  };
  // What was true when a call was made.
  struct Before {
    std::string epoch;
    bool key_kept = false;
    bool asked = false;  // the clarification
  };

  Attempt& NewAttempt();
  v1::Event NewEvent(const std::string& session_id, const std::string& label);
  void Publish(control::Broker& broker, Attempt& attempt);
  // Several of one session, in one call.
  void PublishTogether(control::Broker& broker);
  void Ask(control::Broker& broker);
  void End(control::Broker& broker);
  Before Look(const v1::Event& event, const std::string& key) const;
  void Answered(Attempt& attempt, uint64_t call, const Before& before,
                const absl::StatusOr<control::Published>& result);
  void Acked(Attempt& attempt, uint64_t call, const control::Published& published);
  void CheckContent(const Attempt& attempt, const NaiveEvent& stored);
  void CheckLife(const NaiveLife& life);
  void Refused(Attempt& attempt, const Before& before, const absl::Status& status);
  void CheckRefusal(const Attempt& attempt, const Before& before, const absl::Status& status);
  void Ended(const control::ClarificationEnd& end, const Before& before,
             const absl::StatusOr<control::Published>& result);
  bool IsUnknown(const absl::Status& status);
  void Violate(const std::string& session_id, const std::string& text);

  Scheduler& scheduler_;
  const NaiveLog& log_;
  Violations& violations_;
  const PublisherOptions options_;
  std::list<Attempt> attempts_;
  uint64_t calls_ = 0;
  size_t calls_open_ = 0;
  uint64_t acked_ = 0;
  uint64_t unknown_ = 0;
  // By session and epoch: the number of the call that an event was first acknowledged for.
  std::map<std::pair<std::string, std::string>, std::map<uint64_t, uint64_t>> call_of_;
};

// What a publisher put into an event, to tell it from all others.
std::string LabelOf(const v1::Event& event);

}  // namespace sessioncast::test
