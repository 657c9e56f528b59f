#include "tests/simulation/edge/edge_simulation.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/simulation/edge/naive_control.h"
#include "tests/simulation/edge/simulated_edge.h"
#include "tests/simulation/edge/stock_client.h"

namespace sessioncast::test {
namespace {

constexpr uint32_t kActions = 600;
constexpr int kRestSeconds = 8;
constexpr int kRoundsMax = 3'000;
constexpr uint32_t kClients = 4;
const std::vector<std::string> kSessions = {"s1", "s2", "s3"};

// Limits so small that each of them is met, in some runs.
EdgeLimits LimitsBy(Scheduler& scheduler, edge::BrokenRule broken_rule) {
  EdgeLimits limits;
  limits.pace.queue_bytes_max = 4'000 + scheduler.Pick(scheduler.Chance(70) ? 16'000 : 60'000);
  limits.pace.slow_queue_bytes_min = 300 + scheduler.Pick(1'000);
  limits.page_bytes_max = 300 + scheduler.Pick(8'000);
  limits.tail_bytes_max = scheduler.Chance(50) ? 1 + scheduler.Pick(5'000) : 100'000;
  limits.broken_rule = broken_rule;
  return limits;
}

class EdgeSimulation {
 public:
  EdgeSimulation(uint32_t seed, const EdgeRunOptions& options)
      : options_(options),
        scheduler_(seed),
        limits_(LimitsBy(scheduler_, options.broken_rule)),
        control_(scheduler_, kSessions) {
    StockClient::Trace trace;
    if (options_.trace != nullptr) trace = [this](const std::string& line) { Trace(line); };
    for (uint32_t i = 0; i < kClients; ++i) {
      const auto kind = static_cast<StockClient::Kind>(i % 3 == 0 ? 1 : scheduler_.Pick(3));
      clients_.push_back(
          std::make_unique<StockClient>(scheduler_, control_, violations_, kind, i + 1, trace));
      clients_.back()->set_slow(scheduler_.Chance(50) ? 100 : 0);
    }
    for (int i = 0; i < 2; ++i) edges_.push_back(NewEdge());
  }
  EdgeSimulation(const EdgeSimulation&) = delete;
  EdgeSimulation& operator=(const EdgeSimulation&) = delete;

  RunOutcome Run() {
    for (uint32_t i = 0; i < kActions && !violations_.any(); ++i) {
      ++steps_;
      Act();
    }
    if (!violations_.any()) ComeToRest();
    if (!violations_.any()) {
      for (const auto& client : clients_) client->CheckAtRest();
    }
    uint64_t taken = 0;
    uint64_t recovered = 0;
    for (const auto& client : clients_) {
      taken += client->seen();
      recovered += client->recovered();
    }
    for (const auto& edge : edges_) CountHub(*edge);
    return {violations_.first(),
            {{"steps", steps_},
             {"events published", control_.published()},
             {"taken", taken},
             {"skipped", skipped_},
             {"queues dropped", overflowed_},
             {"connections lost", lost_connections_},
             {"recovered", recovered},
             {"edges killed", lost_edges_}}};
  }

 private:
  void Trace(const std::string& line) const {
    if (options_.trace != nullptr) std::fprintf(options_.trace, "%s\n", line.c_str());
  }

  std::unique_ptr<SimulatedEdge> NewEdge() {
    auto edge = std::make_unique<SimulatedEdge>(scheduler_, control_, limits_);
    edge->line().FailSome(scheduler_.Chance(50) ? 10 : 0);
    edge->Advance(scheduler_.now() - absl::UnixEpoch());
    return edge;
  }

  void CountHub(SimulatedEdge& edge) {
    skipped_ += edge.hub().counts().skipped;
    overflowed_ += edge.hub().counts().overflowed;
  }

  uint32_t Pick(size_t count) { return scheduler_.Pick(static_cast<uint32_t>(count)); }
  SimulatedEdge& AnyEdge() { return *edges_[Pick(edges_.size())]; }
  StockClient& AnyClient() { return *clients_[Pick(clients_.size())]; }

  void Advance(absl::Duration by) {
    scheduler_.Advance(by);
    for (const auto& edge : edges_) edge->Advance(by);
  }

  void Act() {
    const uint32_t what = scheduler_.Pick(1'000);
    if (what < 150) return control_.Act();
    if (what < 500) return Turn(AnyEdge());
    if (what < 650) return static_cast<void>(StepLine(AnyEdge()));
    if (what < 850) return TakeSome();
    if (what < 900) return AnyClient().Act();
    if (what < 950) return Advance(absl::Milliseconds(1 + Pick(200)));
    if (what < 970) return ComeBack();
    if (what < 978) return LoseConnection();
    if (what < 982) return AnyClient().set_slow(scheduler_.Chance(50) ? 100 : 0);
    if (what < 985) return LoseStream(AnyEdge());
    if (what < 986) return LoseEdge();
    for (uint32_t burst = Pick(30); burst > 0; --burst) control_.Act();
  }

  // Some turns of an edge, as a loop takes them.
  void Turn(SimulatedEdge& edge) {
    for (uint32_t turns = 1 + Pick(8); turns > 0 && edge.Step(); --turns) CheckQueues(edge);
  }

  bool StepLine(SimulatedEdge& edge) {
    const bool stepped = edge.line().Step(edge.hub());
    CheckQueues(edge);
    return stepped;
  }

  void CheckQueues(const SimulatedEdge& edge) {
    const std::string broken = edge.QueuesTooLong();
    if (!broken.empty()) violations_.Add(broken);
  }

  void TakeSome() {
    StockClient& client = AnyClient();
    client.Take(client.Pace());
  }

  void ComeBack() {
    StockClient& client = AnyClient();
    if (client.away()) client.Connect(AnyEdge());
  }

  void LoseConnection() {
    StockClient& client = AnyClient();
    if (client.away()) return;
    ++lost_connections_;
    if (scheduler_.Chance(50)) client.Take(client.Pace());
    client.Die();
  }

  void LoseStream(SimulatedEdge& edge) {
    Trace("an edge loses control");
    edge.line().Lose(edge.hub());
  }

  void LoseEdge() {
    ++lost_edges_;
    std::unique_ptr<SimulatedEdge>& edge = edges_[Pick(edges_.size())];
    Trace("an edge is killed");
    CountHub(*edge);
    edge = NewEdge();
  }

  // Nothing is lost any more, nobody publishes, everybody takes what there is.
  void ComeToRest() {
    Trace("rest");
    for (const auto& edge : edges_) edge->line().FailSome(0);
    for (int second = 0; second < kRestSeconds; ++second) {
      bool moved = true;
      for (int round = 0; round < kRoundsMax && moved && !violations_.any(); ++round) {
        moved = RestRound();
      }
      if (moved) return violations_.Add("does not come to rest");
      Advance(absl::Seconds(1));
    }
  }

  bool RestRound() {
    bool moved = false;
    for (const auto& client : clients_) {
      if (client->away()) client->Connect(AnyEdge());
      client->TakeAll();
      moved = client->Take(20'000) || moved;
    }
    for (const auto& edge : edges_) {
      moved = edge->Step() || moved;
      moved = StepLine(*edge) || moved;
    }
    ++steps_;
    return moved;
  }

  const EdgeRunOptions options_;
  Scheduler scheduler_;
  Violations violations_;
  const EdgeLimits limits_;
  NaiveControl control_;
  std::vector<std::unique_ptr<StockClient>> clients_;
  std::vector<std::unique_ptr<SimulatedEdge>> edges_;
  uint64_t steps_ = 0;
  uint64_t lost_connections_ = 0;
  uint64_t lost_edges_ = 0;
  uint64_t skipped_ = 0;
  uint64_t overflowed_ = 0;
};

}  // namespace

RunOutcome SimulateEdge(uint32_t seed, const EdgeRunOptions& options) {
  return EdgeSimulation(seed, options).Run();
}

}  // namespace sessioncast::test
