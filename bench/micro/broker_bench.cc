// Publishing, from the call to the answer, with the broker's own threads.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "bench/micro/scratch_directory.h"
#include "control/broker.h"
#include "control/memory_store.h"
#include "control/rocksdb_store.h"
#include "spdlog/spdlog.h"
#include "tests/control/events.h"
#include "tools/daemon/lock_checks.h"

namespace sessioncast::control {
namespace {

// Publishes so many events at once, in turn over the sessions, and awaits all answers.
void PublishAtOnce(benchmark::State& state, Store& store) {
  daemon::LeaveOutLockChecks();  // as the programs do
  const auto in_flight = static_cast<int>(state.range(0));
  const auto sessions = static_cast<size_t>(state.range(1));
  std::vector<v1::Event> events;
  for (size_t i = 0; i < sessions; ++i) {
    events.push_back(test::ResultEvent("session-" + std::to_string(i), "llama3.1:8b",
                                       v1::MODEL_RESULT_STATUS_COMPLETED, std::string(250, 'x')));
  }
  Broker broker(store, {});
  size_t next = 0;
  for (auto _ : state) {
    absl::BlockingCounter answers(in_flight);
    for (int i = 0; i < in_flight; ++i) {
      broker.Publish(events[next++ % sessions], "",
                     [&answers, &state](const absl::StatusOr<Published>& published) {
                       if (!published.ok()) state.SkipWithError("a publish failed");
                       answers.DecrementCount();
                     });
    }
    answers.Wait();
  }
  state.SetItemsProcessed(state.iterations() * in_flight);
}

void Sizes(benchmark::internal::Benchmark* publish) {
  publish->ArgNames({"in_flight", "sessions"})
      ->Args({1, 1})
      ->Args({64, 1})
      ->Args({64, 64})
      ->Args({1'000, 1'000})
      ->UseRealTime();
}

void BrokerPublishMemory(benchmark::State& state) {
  spdlog::set_level(spdlog::level::warn);
  MemoryStore store;
  PublishAtOnce(state, store);
}
BENCHMARK(BrokerPublishMemory)->Apply(Sizes);

void BrokerPublishRocksDb(benchmark::State& state) {
  spdlog::set_level(spdlog::level::warn);
  const bench::ScratchDirectory directory;
  const absl::StatusOr<std::unique_ptr<Store>> store =
      RocksDbStore::Open({.directory = directory.path()});
  if (!store.ok()) return state.SkipWithError(store.status().ToString().c_str());
  PublishAtOnce(state, **store);
}
BENCHMARK(BrokerPublishRocksDb)->Apply(Sizes);

}  // namespace
}  // namespace sessioncast::control
