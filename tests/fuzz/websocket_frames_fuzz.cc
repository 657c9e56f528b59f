// A client's WebSocket frames: what a naive reader reads, however the bytes are cut; texts that are
// UTF-8; limits that are kept, of memory too.
#include <algorithm>

#include "edge/engineio/utf8.h"
#include "edge/engineio/websocket_frame.h"
#include "tests/fuzz/naive_frames.h"
#include "tests/fuzz/target.h"
#include "tests/support/client_frame.h"

namespace sessioncast::fuzz {
namespace {

using engineio::FrameEvent;
using tests::ClientFrame;
using Kind = FrameEvent::Kind;

constexpr engineio::FrameLimits kLimits = {
    .message_bytes_max = 512, .fragments_max = 8, .control_frames_max = 4};
// Twice, since a string's room doubles, and once more while it is moved.
constexpr size_t kHeapBytesMax = 3 * (kLimits.message_bytes_max + 125) + 256;

// Reads pieces of 1 .. piece_max bytes.
template <typename OnEvent>
void ReadInPieces(std::string_view bytes, size_t piece_max, const OnEvent& on_event) {
  Dice dice(bytes);
  engineio::FrameReader reader(&kLimits);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, 1 + dice.Roll(piece_max));
    bytes.remove_prefix(piece.size());
    for (FrameEvent event = reader.Read(piece); event.kind != Kind::kNothing;
         event = reader.Read(piece)) {
      on_event(std::move(event));
    }
    Require(piece.empty(), "all bytes are taken");
  }
}

std::vector<FrameEvent> EventsOf(std::string_view bytes, size_t piece_max) {
  std::vector<FrameEvent> events;
  ReadInPieces(bytes, piece_max, [&](FrameEvent event) { events.push_back(std::move(event)); });
  return events;
}

void CheckMemory(std::string_view bytes) {
  const HeapPeak peak;
  ReadInPieces(bytes, bytes.size() + 1, [](FrameEvent) {});
  Require(peak.bytes() <= kHeapBytesMax, "no more than a message is kept");
}

bool IsSame(const std::vector<FrameEvent>& some, const std::vector<FrameEvent>& others) {
  return std::equal(
      some.begin(), some.end(), others.begin(), others.end(), [](auto& one, auto& other) {
        return one.kind == other.kind && one.payload == other.payload && one.code == other.code;
      });
}

void CheckEvent(const FrameEvent& event) {
  const bool is_text = event.kind == Kind::kText;
  const bool is_message = is_text || event.kind == Kind::kBinary;
  Require(!is_text || engineio::IsUtf8(event.payload), "a text is UTF-8");
  Require(event.payload.size() <= (is_message ? kLimits.message_bytes_max : 125), "sizes");
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string text = ClientFrame(0x81, "hello");
  return {text,
          text + ClientFrame(0x82, std::string(300, 'x')) + ClientFrame(0x89, "p") +
              ClientFrame(0x8A, ""),
          ClientFrame(0x01, "a\xE2") + ClientFrame(0x89, "q") + ClientFrame(0x00, "\x82") +
              ClientFrame(0x80, "\xAC") + text,
          ClientFrame(0x88, "\x03\xE8 bye") + text,
          ClientFrame(0x88, ""),
          ClientFrame(0x88, "a"),
          ClientFrame(0x81, "a\xFF"),
          ClientFrame(0x82, std::string(513, 'x')),
          ClientFrame(0x02, std::string(300, 'x')) + ClientFrame(0x80, std::string(300, 'x')),
          ClientFrame(0x01, "") + ClientFrame(0x00, "") + ClientFrame(0x80, ""),
          ClientFrame(0x80, "a"),
          ClientFrame(0x01, "a") + text,
          ClientFrame(0x89, std::string(126, 'a')),
          std::string("\x81\xFE\0\x01"
                      "abcd\0",
                      9),
          std::string("\x82\xFF\0\0\x01\0\0\0\0\0abcd", 14),
          std::string("\x81\x01", 2)};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  using fuzz::Require;
  const std::string_view stream = fuzz::Text(bytes, size);
  fuzz::CheckMemory(stream);
  const fuzz::NaiveFrames naive(stream, fuzz::kLimits);
  for (const size_t piece_max : {size_t{1}, size_t{7}, size_t{200}, size + 1}) {
    Require(fuzz::IsSame(fuzz::EventsOf(stream, piece_max), naive.events()),
            "what a naive reader reads, however the bytes are cut");
  }
  for (const engineio::FrameEvent& event : naive.events()) fuzz::CheckEvent(event);
  return 0;
}
