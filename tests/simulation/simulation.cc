#include "tests/simulation/simulation.h"

#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/broker.h"
#include "tests/simulation/naive_log.h"
#include "tests/simulation/publishers.h"
#include "tests/simulation/reader.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/simulated_store.h"

namespace sessioncast::test {
namespace {

constexpr uint32_t kActions = 250;
constexpr int kRoundsMax = 2'000;
constexpr int kQuietRounds = 4;
const std::vector<std::string> kSessions = {"s1", "s2", "s3"};

// Limits so small that most of them are met, in some runs; those of the fold and of bytes are not
// (tests/control/history_model_test meets them).
control::BrokerOptions OptionsBy(Scheduler& scheduler) {
  control::BrokerOptions options;
  options.start_loop = scheduler.start_loop();
  options.clock = scheduler.clock();
  options.shards = 2;
  options.worker_pool.threads = 2;
  options.histories_bytes_max = scheduler.Chance(50) ? 20'000 : 100'000'000;
  options.commit_queue.in_flight_bytes_max = scheduler.Chance(20) ? 600 : 1'000'000;
  options.commit_queue.small_group_events_max = scheduler.Chance(50) ? 64 : 0;
  options.operations_waiting_max = scheduler.Chance(20) ? 3 : 1'000;
  options.cold_reads_max = scheduler.Chance(20) ? 1 : 100;
  options.deadlines.deadlines_per_round_max = 1 + scheduler.Pick(3);
  options.history.kept.events_max = scheduler.Chance(50) ? 8 + scheduler.Pick(24) : 100'000;
  options.history.window_events_max = scheduler.Chance(50) ? 1 + scheduler.Pick(10) : 1'000;
  options.history.time_to_live_ms = 100'000;
  options.history.ended_kept_ms = 200'000;
  return options;
}

class Simulation {
 public:
  explicit Simulation(uint32_t seed)
      : scheduler_(seed),
        options_(OptionsBy(scheduler_)),
        log_(options_.history, violations_),
        store_(scheduler_, log_),
        publishers_(scheduler_, log_, violations_, {kSessions, scheduler_.Chance(30) ? 10U : 1U}) {
    store_.FailSome(scheduler_.Chance(50) ? 5 : 0);
    for (const std::string& session_id : kSessions) {
      for (const control::Reading reading :
           {control::Reading::kWhole, control::Reading::kConflated}) {
        readers_.push_back(
            std::make_unique<Reader>(scheduler_, log_, violations_, session_id, reading));
      }
    }
    broker_.emplace(store_, options_);
  }
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation() { EndBroker(); }

  RunOutcome Run() {
    for (uint32_t i = 0; i < kActions && !violations_.any(); ++i) Act();
    if (!violations_.any()) Heal();
    if (!violations_.any()) CheckAtRest();
    EndBroker();
    if (scheduler_.hangs()) violations_.Add("the broker's end waits for what never comes");
    return {violations_.first(),
            {{"steps", scheduler_.steps()},
             {"acknowledged", publishers_.acked()},
             {"unknown", publishers_.unknown()},
             {"events read", EventsSeen()},
             {"crashes", crashes_},
             {"failures of the store", store_.failures()}}};
  }

 private:
  Reader& AnyReader() { return *readers_[scheduler_.Pick(static_cast<uint32_t>(readers_.size()))]; }

  void Act() {
    const uint32_t what = scheduler_.Pick(200);
    if (what < 70) return publishers_.Act(*broker_);
    if (what < 110) return AnyReader().Act(*broker_);
    if (what < 170) return static_cast<void>(scheduler_.Step());
    if (what < 180) return scheduler_.Advance(absl::Milliseconds(1 + scheduler_.Pick(2'000)));
    if (what < 184) return AnyReader().LookAround(*broker_);
    if (what < 188) return AnyReader().Disconnect();
    if (what < 190) return scheduler_.Advance(absl::Seconds(scheduler_.Pick(250)));
    if (what == 190) return Restart();
    if (what == 191) return Crash();
    if (what < 196) return store_.full() ? store_.MakeRoom() : Idle(1);
    Idle(scheduler_.Pick(20));
  }

  // Some steps, as if nobody called for a while.
  void Idle(uint32_t steps) {
    for (uint32_t i = 0; i < steps && scheduler_.Step(); ++i) {
    }
  }

  void EndBroker() {
    if (!broker_.has_value()) return;
    for (const std::unique_ptr<Reader>& reader : readers_) reader->Disconnect();
    broker_.reset();
  }

  void Restart() {
    EndBroker();
    if (publishers_.open_calls() > 0)
      violations_.Add("the broker ends, and calls are not answered");
    Start();
  }

  void Crash() {
    ++crashes_;
    scheduler_.Crash();
    EndBroker();
    publishers_.LoseCalls();
    scheduler_.Revive();
    Start();
  }

  void Start() {
    if (store_.full()) store_.MakeRoom();
    // The clock of a machine may be set before control starts on it.
    if (scheduler_.Chance(10)) scheduler_.Advance(-absl::Seconds(scheduler_.Pick(100)));
    log_.BrokerIsNew();
    broker_.emplace(store_, options_);
  }

  // Nothing fails any more: what is published is acknowledged then.
  void Heal() {
    store_.FailSome(0);
    if (store_.full()) store_.MakeRoom();
    ComeToRest();
    for (const std::string& session_id : kSessions) {
      if (violations_.any()) return;
      publishers_.Probe(*broker_, session_id);
      Idle(1'000);
      publishers_.CheckProbe();
    }
    ComeToRest();
  }

  // Nobody publishes, and time goes on for a few seconds.
  void ComeToRest() {
    for (int second = 0; second < 8; ++second) {
      scheduler_.Advance(absl::Seconds(1));
      int quiet = 0;
      for (int round = 0; round < kRoundsMax && quiet < kQuietRounds; ++round) {
        const uint64_t before = scheduler_.steps() + EventsSeen();
        for (const std::unique_ptr<Reader>& reader : readers_) reader->Act(*broker_);
        Idle(1'000);
        quiet = scheduler_.steps() + EventsSeen() == before ? quiet + 1 : 0;
        if (violations_.any()) return;
      }
    }
  }

  uint64_t EventsSeen() const {
    uint64_t seen = 0;
    for (const std::unique_ptr<Reader>& reader : readers_) seen += reader->seen();
    return seen;
  }

  void CheckAtRest() {
    publishers_.CheckLog();
    for (const std::unique_ptr<Reader>& reader : readers_) reader->CheckAtTop();
    const control::BrokerCounts counts = broker_->counts();
    if (counts.in_flight_bytes > 0)
      violations_.Add(absl::StrCat(counts.in_flight_bytes, " bytes of publishes stay in flight"));
    for (const std::string& session_id : kSessions) {
      CheckDeadlines(log_.Current(session_id));
      if (log_.BrokerIsBehind(session_id))
        violations_.Add(absl::StrCat("nobody looked again at session ", session_id));
    }
  }

  // What was due seconds ago has been done.
  void CheckDeadlines(const NaiveLife& life) {
    const absl::Time due = scheduler_.now() - absl::Seconds(5);
    if (life.events.empty()) return;
    const absl::Time last = control::FromTimestamp(life.events.back().event.time());
    const control::HistoryOptions& limits = options_.history;
    if (life.Ended()) {
      if (last + absl::Milliseconds(limits.ended_kept_ms) < due)
        violations_.Add(absl::StrCat("session ", life.session_id, " is not deleted"));
      return;
    }
    if (life.OpenWithLimit(life.top()) == 0 &&
        last + absl::Milliseconds(limits.time_to_live_ms) < due)
      violations_.Add(absl::StrCat("session ", life.session_id, " does not expire"));
    for (const auto& [id, sequence] : life.Clarifications(life.top())) {
      const v1::Event& event = life.At(sequence).event;
      const v1::Clarification& asked = event.clarification();
      if (asked.status() != v1::CLARIFICATION_STATUS_PENDING || !asked.has_time_limit()) continue;
      if (control::FromTimestamp(event.time()) + absl::Seconds(asked.time_limit().seconds()) < due)
        violations_.Add(absl::StrCat("clarification ", id, " of session ", life.session_id,
                                     " does not expire"));
    }
  }

  Scheduler scheduler_;
  Violations violations_;
  const control::BrokerOptions options_;
  NaiveLog log_;
  SimulatedStore store_;
  Publishers publishers_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::optional<control::Broker> broker_;
  uint64_t crashes_ = 0;
};

}  // namespace

RunOutcome Simulate(uint32_t seed) { return Simulation(seed).Run(); }

}  // namespace sessioncast::test
