// An input of the target `connection`: a program of clients, time, control and the library's user,
// as bytes; and a writer of such programs, for seeds.
//
// Each operation is a byte (the high bit: the server does not run behind it) and its arguments. What
// is missing at the end is 0. A text is its length in two bytes, and as much of it as is there.
//
// Pure, not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sessioncast::fuzz {

enum class Op : uint8_t {
  kOpen,     // slot, KiB (0: 16 bytes) of the kernel's buffer: a TCP connection takes the slot
  kRaw,      // slot, text
  kRequest,  // slot, request, connection, options, text: its body
  kRest,     // slot: what kRequest's kInPart has held back
  kFrame,    // slot, first byte, text: a WebSocket frame with a mask
  kPacket,   // slot, packet: as a WebSocket frame
  kTake,     // slot, bytes (255: all): the client takes bytes
  kRoom,     // slot, KiB (0: 16 bytes): of the kernel's buffer from now on
  kEnd,      // slot: the client writes nothing more
  kLeave,    // slot
  kReset,    // slot
  kTime,     // one of kTimesMs
  kPublish,  // session, events
  kControl,  // 0: away, else back
  kAct,      // socket, what, bytes / 16: the library's user
  kStop,
  kOps,
};

inline constexpr uint8_t kGoesOn = 0x80;  // of an operation: the server does not run yet
inline constexpr size_t kSlots = 8;
inline constexpr int kTimesMs[] = {1, 50, 300, 1'000, 5'000, 10'000, 20'000, 25'000, 35'000, 70'000};

// What kRequest asks.
enum class Request : uint8_t {
  kHandshake,
  kHandshakeWebSocket,
  kPoll,
  kPost,
  kUpgrade,
  kPreflight,
  kFile,
  kForeign,
  kForeignLater,
  kPut,
  kUpgradeOfOldVersion,
  kUpgradeWithBadKey,
  kPostLarge,
  kPostCompressed,
  kPostBinary,
  kUnknownPath,
  kUnknownTransport,
  kRequests,
};

// How kRequest asks; bits.
enum RequestOption : uint8_t {
  kCloses = 1,       // Connection: close
  kInPart = 2,       // half of it now, the rest with kRest
  kExpects = 4,      // Expect: 100-continue, and no body yet
  kForbidden = 8,    // another origin
  kRefused = 16,     // the library's user refuses it
  kOldRevision = 32,
  kHasFile = 64,     // If-None-Match
  kElsewhere = 128,  // X-Forwarded-For: another address
};

// What kPacket sends, as Engine.IO texts.
inline constexpr std::string_view kPackets[] = {
    "40",
    "40{\"recovery\":true}",
    "40/custom,",
    "40/custom,{\"refuse\":true}",
    "40/custom,{\"later\":true,\"tail\":true}",
    "40/nope,",
    "42[\"subscribe\",\"a\"]",
    "421[\"subscribe\",{\"sessionId\":\"a\",\"after\":{\"epoch\":\"k3JxQ0aB\",\"sequence\":1}}]",
    "422[\"subscribe\",{\"sessionId\":\"b\",\"after\":{\"epoch\":\"\",\"sequence\":0}}]",
    "42[\"subscribe\",\"../x\"]",
    "423[\"unsubscribe\",\"a\"]",
    "424[\"clarification_response\",{\"sessionId\":\"a\",\"clarificationId\":\"q\",\"response\":\"r\"}]",
    "42/custom,5[\"echo\",{\"a\":[1,null]}]",
    "42/custom,[\"leave\"]",
    "42/custom,[\"close\"]",
    "41",
    "41/custom,",
    "43/custom,0[1]",
    "452-/custom,7[\"echo\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
    "2probe",
    "5",
    "3",
    "1",
    "6",
    "42[\"subscribe\",[[[[[[[[[[]]]]]]]]]]]",
    "42/custom,[\"x\"]",
};

class ProgramReader {
 public:
  explicit ProgramReader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  uint8_t Byte();
  std::string_view Text();

 private:
  std::string_view bytes_;
};

// The bytes of a request. `sid` "": of none. What may be sent with kExpects ends before the body.
std::string RequestText(Request request, std::string_view sid, uint8_t options,
                        std::string_view body);

class Program {
 public:
  Program& Add(Op op, std::initializer_list<int> arguments);
  Program& AddText(std::string_view text);
  const std::string& bytes() const { return bytes_; }

  // The usual ones.
  Program& Open(int slot, int kib = 64) { return Add(Op::kOpen, {slot, kib}); }
  Program& Ask(int slot, Request request, int connection = 0, int options = 0,
               std::string_view body = "") {
    return Add(Op::kRequest, {slot, static_cast<int>(request), connection, options}).AddText(body);
  }
  Program& Raw(int slot, std::string_view text) { return Add(Op::kRaw, {slot}).AddText(text); }
  Program& Frame(int slot, int first, std::string_view payload) {
    return Add(Op::kFrame, {slot, first}).AddText(payload);
  }
  Program& Packet(int slot, std::string_view text);
  Program& Take(int slot, int bytes = 255) { return Add(Op::kTake, {slot, bytes}); }
  Program& Time(int ms);
  // Does not let the server run behind what was added last.
  Program& GoOn();

 private:
  std::string bytes_;
  size_t last_op_ = 0;
};

}  // namespace sessioncast::fuzz
