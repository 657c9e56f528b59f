// Engine.IO's packets and payloads, WebSocket frames, UTF-8.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "edge/engineio/packet.h"
#include "edge/engineio/utf8.h"
#include "edge/engineio/websocket_frame.h"
#include "tests/support/client_frame.h"

namespace sessioncast::engineio {
namespace {

constexpr uint8_t kFinalText = 0x81;
constexpr size_t kPacketsAPayload = 16;

// A message as Socket.IO sends it, of about so many bytes.
std::string Message(int64_t bytes) {
  return "2[\"model_result\",{\"result\":\"" + std::string(static_cast<size_t>(bytes), 'x') +
         "\"}]";
}

void CountBytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

void EnginePacketDecode(benchmark::State& state) {
  const std::string text = "4" + Message(250);
  for (auto _ : state) benchmark::DoNotOptimize(DecodePacket(text));
}
BENCHMARK(EnginePacketDecode);

void EnginePacketDecodeBase64(benchmark::State& state) {
  const std::string text = "b" + std::string(static_cast<size_t>(state.range(0)) / 3 * 4, 'A');
  for (auto _ : state) benchmark::DoNotOptimize(DecodePacket(text));
  CountBytes(state, text.size());
}
BENCHMARK(EnginePacketDecodeBase64)->Arg(300)->Arg(30'000);

void EnginePayloadWrite(benchmark::State& state) {
  const std::string message = Message(250);
  for (auto _ : state) {
    std::string payload;
    for (size_t i = 0; i < kPacketsAPayload; ++i) {
      AppendToPayload(PacketType::kMessage, PacketFormat::kText, message, payload);
    }
    benchmark::DoNotOptimize(payload);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPacketsAPayload));
}
BENCHMARK(EnginePayloadWrite);

void EnginePayloadSplit(benchmark::State& state) {
  std::string payload;
  for (size_t i = 0; i < kPacketsAPayload; ++i) {
    AppendToPayload(PacketType::kMessage, PacketFormat::kText, Message(250), payload);
  }
  for (auto _ : state) benchmark::DoNotOptimize(SplitPayload(payload, kPacketsAPayload));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kPacketsAPayload));
}
BENCHMARK(EnginePayloadSplit);

void WebSocketFrameHeader(benchmark::State& state) {
  char header[kFrameHeaderBytesMax];
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        WriteFrameHeader(kTextFrame, static_cast<uint64_t>(state.range(0)), header));
    benchmark::DoNotOptimize(header);
  }
}
BENCHMARK(WebSocketFrameHeader)->Arg(100)->Arg(500)->Arg(100'000);

// Masked, as browsers send; unmasked and checked to be UTF-8.
void WebSocketFrameRead(benchmark::State& state) {
  const std::string frame = tests::ClientFrame(kFinalText, "4" + Message(state.range(0)));
  const FrameLimits limits;
  FrameReader reader(&limits);
  for (auto _ : state) {
    std::string_view bytes = frame;
    benchmark::DoNotOptimize(reader.Read(bytes));
  }
  CountBytes(state, frame.size());
}
BENCHMARK(WebSocketFrameRead)->Arg(20)->Arg(250)->Arg(60'000);

void Utf8Ascii(benchmark::State& state) {
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(IsUtf8(text));
  CountBytes(state, text.size());
}
BENCHMARK(Utf8Ascii)->Arg(250)->Arg(60'000);

void Utf8Mixed(benchmark::State& state) {
  std::string text;
  while (text.size() < static_cast<size_t>(state.range(0))) text += "Straße, 東京, 🙂. ";
  for (auto _ : state) benchmark::DoNotOptimize(IsUtf8(text));
  CountBytes(state, text.size());
}
BENCHMARK(Utf8Mixed)->Arg(250)->Arg(60'000);

}  // namespace
}  // namespace sessioncast::engineio
