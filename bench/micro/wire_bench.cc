// Each kind of event, from control's bytes to the browser's JSON, and to a packet.
#include <benchmark/benchmark.h>

#include <string>

#include "edge/cursor.h"
#include "edge/wire.h"
#include "tests/control/events.h"

namespace sessioncast::edge {
namespace {

constexpr char kSession[] = "3f2b8c1e-9d47-4a5b-8e6f-000000000001";

std::string Serialized(v1::Event event) {
  *event.mutable_position() = test::PositionAt("Ab3_x-9Z", 1'234);
  event.mutable_time()->set_seconds(1'800'000'000);
  event.mutable_time()->set_nanos(123'456'000);
  return event.SerializeAsString();
}

v1::Event Result(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += "The \"quick\" brown fox jumps over the lazy dog.\n";
  text.resize(bytes);
  return test::ResultEvent(kSession, "llama3.1:8b", v1::MODEL_RESULT_STATUS_COMPLETED, text);
}

void WireToJson(benchmark::State& state, const v1::Event& event) {
  const std::string serialized = Serialized(event);
  for (auto _ : state) benchmark::DoNotOptimize(ParseWire(serialized));
}
BENCHMARK_CAPTURE(WireToJson, progress, test::ProgressEvent(kSession, 42.5));
BENCHMARK_CAPTURE(WireToJson, model_result_250, Result(250));
BENCHMARK_CAPTURE(WireToJson, model_result_10k, Result(10'000));
BENCHMARK_CAPTURE(WireToJson, clarification, test::QuestionEvent(kSession, "q1"));
BENCHMARK_CAPTURE(WireToJson, completed, test::CompletedEvent(kSession));
BENCHMARK_CAPTURE(WireToJson, error, test::FinalErrorEvent(kSession));
BENCHMARK_CAPTURE(WireToJson, token, test::CustomEvent(kSession, " fox"));

void WireEncode(benchmark::State& state) {
  const absl::StatusOr<WireEvent> event = ParseWire(Serialized(Result(250)));
  const auto skipped = static_cast<uint64_t>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Encode(*event, skipped));
}
BENCHMARK(WireEncode)->ArgName("skipped")->Arg(0)->Arg(3);

void WireTimestamp(benchmark::State& state) {
  const Time time = Time(std::chrono::milliseconds(1'800'000'000'123));
  for (auto _ : state) benchmark::DoNotOptimize(Timestamp(time));
}
BENCHMARK(WireTimestamp);

// A cursor of so many sessions moves, and is written.
void CursorMoves(benchmark::State& state) {
  Cursor cursor;
  CursorMove move;
  for (int64_t i = 0; i < state.range(0); ++i) {
    move.session_id = std::string(kSession) + std::to_string(i);
    move.entry = EntryText(move.session_id, {Place::Kind::kAfter, {"Ab3_x-9Z", 1'234}});
    cursor.Move(move);
  }
  for (auto _ : state) {
    cursor.Move(move);
    benchmark::DoNotOptimize(cursor.Text());
  }
}
BENCHMARK(CursorMoves)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace sessioncast::edge
