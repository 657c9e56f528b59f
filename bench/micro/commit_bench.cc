// A commit of a group: one batch, one fdatasync. What a group's size gives.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro/scratch_directory.h"
#include "control/rocksdb_store.h"
#include "spdlog/spdlog.h"
#include "tests/control/events.h"

namespace sessioncast::control {
namespace {

constexpr char kEpoch[] = "Ab3_x-9Z";

// An append of one event, as the broker makes it.
StoreAppendPtr AppendOf(const std::string& session_id, uint64_t sequence) {
  v1::Event event = test::ResultEvent(session_id, "llama3.1:8b", v1::MODEL_RESULT_STATUS_COMPLETED,
                                      std::string(250, 'x'));
  *event.mutable_position() = test::PositionAt(kEpoch, sequence);
  *event.mutable_time() = ToTimestamp(absl::FromUnixSeconds(1'800'000'000));
  auto append = std::make_shared<StoreAppend>();
  append->session_id = session_id;
  append->after = sequence == 1 ? v1::Position() : test::PositionAt(kEpoch, sequence - 1);
  append->session.position = event.position();
  append->session.status = v1::SESSION_STATUS_ACTIVE;
  append->events.push_back(MakeStoredEvent(event, "", 0));
  return append;
}

// Each of so many sessions appends an event.
void CommitGroupRocksDb(benchmark::State& state) {
  spdlog::set_level(spdlog::level::warn);
  const bench::ScratchDirectory directory;
  const absl::StatusOr<std::unique_ptr<Store>> store =
      RocksDbStore::Open({.directory = directory.path()});
  if (!store.ok()) return state.SkipWithError(store.status().ToString().c_str());
  uint64_t sequence = 0;
  for (auto _ : state) {
    ++sequence;
    std::vector<StoreAppendPtr> group;
    for (int64_t i = 0; i < state.range(0); ++i) {
      group.push_back(AppendOf("session-" + std::to_string(i), sequence));
    }
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<AppendOutcome> outcomes = (*store)->Commit(group);
    state.SetIterationTime(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    for (const AppendOutcome& outcome : outcomes) {
      if (!outcome.status.ok()) state.SkipWithError(outcome.status.ToString().c_str());
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(CommitGroupRocksDb)->ArgName("group")->RangeMultiplier(4)->Range(1, 256)->UseManualTime();

}  // namespace
}  // namespace sessioncast::control
