#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <utility>

namespace sessioncast::test {

class Scheduler::SimulatedLoop : public control::RunningLoop {
 public:
  SimulatedLoop(Scheduler& scheduler, control::Loop loop)
      : scheduler_(scheduler), loop_(std::move(loop)) {
    scheduler_.loops_.push_back(this);
  }
  SimulatedLoop(const SimulatedLoop&) = delete;
  SimulatedLoop& operator=(const SimulatedLoop&) = delete;
  ~SimulatedLoop() override {
    scheduler_.RunToTheEndOf(*this);
    std::vector<SimulatedLoop*>& loops = scheduler_.loops_;
    loops.erase(std::find(loops.begin(), loops.end(), this));
  }

  bool is_ready() const { return !ended_ && loop_.is_ready(); }
  bool ended() const { return ended_; }
  void Step() { ended_ = !loop_.step(); }

 private:
  Scheduler& scheduler_;
  control::Loop loop_;
  bool ended_ = false;
};

control::StartLoop Scheduler::start_loop() {
  return [this](control::Loop loop) {
    return std::make_unique<SimulatedLoop>(*this, std::move(loop));
  };
}

bool Scheduler::Step() {
  std::vector<SimulatedLoop*> ready;
  for (SimulatedLoop* loop : loops_) {
    if (loop->is_ready()) ready.push_back(loop);
  }
  if (ready.empty()) return false;
  ++steps_;
  ready[Pick(static_cast<uint32_t>(ready.size()))]->Step();
  return true;
}

void Scheduler::RunToTheEndOf(SimulatedLoop& loop) {
  while (!crashed_ && !hangs_ && !loop.ended()) {
    if (!Step()) hangs_ = true;
  }
}

}  // namespace sessioncast::test
