// Socket.IO's packets, read and written.
#include <benchmark/benchmark.h>

#include <string>

#include "edge/socketio/packet.h"
#include "edge/socketio/server.h"

namespace sessioncast::socketio {
namespace {

void Read(benchmark::State& state, const std::string& text) {
  const PacketLimits limits;
  for (auto _ : state) benchmark::DoNotOptimize(ReadPacket(text, limits));
}
BENCHMARK_CAPTURE(Read, subscribe, R"(2["subscribe","3f2b8c1e-9d47-4a5b-8e6f-000000000001"])");
BENCHMARK_CAPTURE(Read, subscribe_after_with_ack,
                  R"(27["subscribe",{"sessionId":"3f2b8c1e-9d47-4a5b-8e6f-000000000001",)"
                  R"("after":{"epoch":"Ab3_x-9Z","sequence":1234}}])");
BENCHMARK_CAPTURE(Read, connect,
                  R"(0{"pid":"Ab3_x-9ZAb3_x-9ZAb3_x-9ZAb3_x-9Z","offset":"1;s~Ab3_x-9Z~7"})");
BENCHMARK_CAPTURE(Read, clarification_response,
                  R"(21["clarification_response",{"sessionId":"s","clarificationId":"q1",)"
                  R"("response":"The second one, please: it is the one that we talked about."}])");

void WriteEventOfJson(benchmark::State& state) {
  const Json arguments = Json::array({{{"sessionId", "3f2b8c1e"}, {"ok", true}, {"sequence", 7}}});
  for (auto _ : state) benchmark::DoNotOptimize(WriteEvent({}, "subscribed", arguments));
}
BENCHMARK(WriteEventOfJson);

void WriteAckOfJson(benchmark::State& state) {
  const Json arguments = Json::array({{{"sessionId", "3f2b8c1e"}, {"ok", true}, {"sequence", 7}}});
  for (auto _ : state) benchmark::DoNotOptimize(WriteAck({"/", 17}, arguments));
}
BENCHMARK(WriteAckOfJson);

// What a recovering client's events end in.
void WriteCursorString(benchmark::State& state) {
  const std::string cursor = "1;3f2b8c1e-9d47-4a5b-8e6f-000000000001~Ab3_x-9Z~1234";
  for (auto _ : state) benchmark::DoNotOptimize(WriteString(cursor));
}
BENCHMARK(WriteCursorString);

void EncodeEvent(benchmark::State& state) {
  const std::string payload = "{\"result\":\"" + std::string(250, 'x') + "\"}";
  for (auto _ : state) benchmark::DoNotOptimize(EncodedEvent::FromJson("model_result", payload));
}
BENCHMARK(EncodeEvent);

}  // namespace
}  // namespace sessioncast::socketio
