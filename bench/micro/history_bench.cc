// One session's log: append, read, fold; and the rules of an event.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "control/event.h"
#include "control/history.h"
#include "tests/control/events.h"

namespace sessioncast::control {
namespace {

constexpr char kSession[] = "3f2b8c1e-9d47-4a5b-8e6f-000000000001";
constexpr int kEventsHeld = 5'000;

v1::Event Result(uint64_t number) {
  return test::ResultEvent(kSession, "model " + std::to_string(number % 8),
                           v1::MODEL_RESULT_STATUS_COMPLETED, std::string(250, 'x'));
}

v1::Event Progress(uint64_t number) {
  return test::ProgressEvent(kSession, static_cast<double>(number % 100));
}

v1::Event Token(uint64_t) { return test::CustomEvent(kSession, " fox"); }

using MakeEvent = v1::Event (*)(uint64_t number);

Stamp StampNow() { return {absl::FromUnixSeconds(1'800'000'000), "Ab3_x-9Z"}; }

void EventValidate(benchmark::State& state, MakeEvent make) {
  const v1::Event event = make(1);
  for (auto _ : state) benchmark::DoNotOptimize(Validate(event));
}
BENCHMARK_CAPTURE(EventValidate, model_result, Result);
BENCHMARK_CAPTURE(EventValidate, progress, Progress);
BENCHMARK_CAPTURE(EventValidate, token, Token);

void EventSummarize(benchmark::State& state, MakeEvent make) {
  const v1::Event event = make(1);
  for (auto _ : state) benchmark::DoNotOptimize(Summarize(event));
}
BENCHMARK_CAPTURE(EventSummarize, model_result, Result);
BENCHMARK_CAPTURE(EventSummarize, progress, Progress);

// With the trimming that it brings, once the limits are reached.
void HistoryAppend(benchmark::State& state, MakeEvent make) {
  History history(kSession, {});
  std::vector<v1::Event> events;
  for (uint64_t i = 0; i < 8; ++i) events.push_back(make(i));
  uint64_t number = 0;
  for (auto _ : state) {
    const Answer answer = history.Append(events[++number % events.size()], "", StampNow());
    history.Durable(answer.position.sequence());
    benchmark::DoNotOptimize(answer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(HistoryAppend, model_result, Result);
BENCHMARK_CAPTURE(HistoryAppend, progress, Progress);
BENCHMARK_CAPTURE(HistoryAppend, token, Token);

void HistoryAppendWithKey(benchmark::State& state) {
  History history(kSession, {});
  const v1::Event event = Result(1);
  uint64_t number = 0;
  for (auto _ : state) {
    const Answer answer = history.Append(event, "key " + std::to_string(++number), StampNow());
    history.Durable(answer.position.sequence());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(HistoryAppendWithKey);

// A page of 64 KiB from the middle.
void HistoryReadPage(benchmark::State& state, Reading reading) {
  History history(kSession, {});
  for (int i = 0; i < kEventsHeld; ++i) {
    history.Append(i % 2 == 0 ? Progress(i) : Result(i), "", StampNow());
  }
  history.Durable(kEventsHeld);
  int64_t events = 0;
  for (auto _ : state) {
    const Page page = history.Read(kEventsHeld / 2, {.bytes_max = 64 * 1024, .reading = reading});
    events += static_cast<int64_t>(page.through) - kEventsHeld / 2;
    benchmark::DoNotOptimize(page);
  }
  state.SetItemsProcessed(events);
}
BENCHMARK_CAPTURE(HistoryReadPage, whole, Reading::kWhole);
BENCHMARK_CAPTURE(HistoryReadPage, conflated, Reading::kConflated);

void HistorySnapshot(benchmark::State& state) {
  History history(kSession, {});
  for (int64_t i = 0; i < state.range(0); ++i) {
    v1::Event event = Result(1);
    event.mutable_model_result()->set_run_id("run " + std::to_string(i));
    history.Append(std::move(event), "", StampNow());
  }
  history.Durable(static_cast<uint64_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(history.Snapshot());
}
BENCHMARK(HistorySnapshot)->ArgName("entries")->Arg(8)->Arg(1'000);

// A fold of so many entries, of which one is replaced.
void FoldApply(benchmark::State& state) {
  Fold fold{FoldOptions{}};
  std::vector<v1::Event> events;
  for (int64_t i = 0; i < state.range(0); ++i) {
    v1::Event event = Result(1);
    event.mutable_model_result()->set_run_id("run " + std::to_string(i));
    events.push_back(std::move(event));
  }
  uint64_t sequence = 0;
  for (auto _ : state) {
    state.PauseTiming();
    v1::Event& event = events[sequence % events.size()];
    *event.mutable_position() = test::PositionAt("Ab3_x-9Z", ++sequence);
    const StoredEventPtr stored = MakeStoredEvent(event, "", 0);
    state.ResumeTiming();
    fold.Apply(stored);
  }
}
BENCHMARK(FoldApply)->ArgName("entries")->Arg(1)->Arg(100)->Arg(1'000)->Iterations(20'000);

}  // namespace
}  // namespace sessioncast::control
