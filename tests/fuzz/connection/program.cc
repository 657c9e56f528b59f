#include "tests/fuzz/connection/program.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

constexpr char kUpgradeFields[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
constexpr char kKeyField[] = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
constexpr char kVersionField[] = "Sec-WebSocket-Version: 13\r\n";
constexpr size_t kLargeBytes = 100'000;

struct Line {
  const char* method;
  std::string target;
  std::string fields;
  bool has_body = false;
};

std::string EngineTarget(std::string_view transport, std::string_view sid, uint8_t options) {
  std::string target = absl::StrCat("/socket.io/?EIO=", (options & kOldRevision) != 0 ? 3 : 4,
                                    "&transport=", std::string(transport));
  if (!sid.empty()) absl::StrAppend(&target, "&sid=", std::string(sid));
  return target;
}

Line LineOf(Request request, std::string_view sid, uint8_t options) {
  const std::string polling = EngineTarget("polling", sid, options);
  const std::string websocket = EngineTarget("websocket", sid, options);
  const std::string upgrade = absl::StrCat(kUpgradeFields, kKeyField, kVersionField);
  switch (request) {
    case Request::kHandshake:
      return {"GET", EngineTarget("polling", "", options), ""};
    case Request::kHandshakeWebSocket:
      return {"GET", EngineTarget("websocket", "", options), upgrade};
    case Request::kPoll:
      return {"GET", polling, ""};
    case Request::kPost:
      return {"POST", polling, "Content-Type: text/plain;charset=UTF-8\r\n", true};
    case Request::kUpgrade:
      return {"GET", websocket, upgrade};
    case Request::kPreflight:
      return {"OPTIONS", polling, "Origin: http://localhost\r\n"
                                  "Access-Control-Request-Method: POST\r\n"};
    case Request::kFile:
      return {"GET", "/socket.io/socket.io.js", ""};
    case Request::kForeign:
      return {"POST", "/api", "", true};
    case Request::kForeignLater:
      return {"POST", "/later", "", true};
    case Request::kPut:
      return {"PUT", polling, "", true};
    case Request::kUpgradeOfOldVersion:
      return {"GET", websocket,
              absl::StrCat(kUpgradeFields, kKeyField, "Sec-WebSocket-Version: 8\r\n")};
    case Request::kUpgradeWithBadKey:
      return {"GET", websocket,
              absl::StrCat(kUpgradeFields, "Sec-WebSocket-Key: bad\r\n", kVersionField)};
    case Request::kPostLarge:
      return {"POST", polling, absl::StrCat("Content-Length: ", kLargeBytes, "\r\n")};
    case Request::kPostCompressed:
      return {"POST", polling, "Content-Encoding: gzip\r\n", true};
    case Request::kPostBinary:
      return {"POST", polling, "Content-Type: application/octet-stream\r\n", true};
    case Request::kUnknownPath:
      return {"GET", "/socket.io/../x", ""};
    case Request::kUnknownTransport:
    case Request::kRequests:
      break;
  }
  return {"GET", "/socket.io/?EIO=4&transport=flash", ""};
}

}  // namespace

uint8_t ProgramReader::Byte() {
  if (bytes_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(bytes_.front());
  bytes_.remove_prefix(1);
  return byte;
}

std::string_view ProgramReader::Text() {
  const size_t high = Byte();
  const std::string_view text = bytes_.substr(0, high << 8 | Byte());
  bytes_.remove_prefix(std::min(text.size(), bytes_.size()));
  return text;
}

std::string RequestText(Request request, std::string_view sid, uint8_t options,
                        std::string_view body) {
  const Line line = LineOf(request, sid, options);
  std::string text = absl::StrCat(line.method, " ", line.target, " HTTP/1.1\r\nHost: localhost\r\n",
                                  line.fields);
  if ((options & kForbidden) != 0) text += "Origin: https://evil.example\r\n";
  if ((options & kRefused) != 0) text += "X-Refused: yes\r\n";
  if ((options & kCloses) != 0) text += "Connection: close\r\n";
  if ((options & kExpects) != 0) text += "Expect: 100-continue\r\n";
  if ((options & kElsewhere) != 0) text += "X-Forwarded-For: 192.0.2.7\r\n";
  if ((options & kHasFile) != 0) text += "If-None-Match: \"1\"\r\n";
  if (line.has_body) absl::StrAppend(&text, "Content-Length: ", body.size(), "\r\n");
  text += "\r\n";
  if (line.has_body && (options & kExpects) == 0) text += body;
  return text;
}

Program& Program::Add(Op op, std::initializer_list<int> arguments) {
  last_op_ = bytes_.size();
  bytes_.push_back(static_cast<char>(op));
  for (const int argument : arguments) bytes_.push_back(static_cast<char>(argument));
  return *this;
}

Program& Program::AddText(std::string_view text) {
  bytes_.push_back(static_cast<char>(text.size() >> 8));
  bytes_.push_back(static_cast<char>(text.size()));
  bytes_.append(text);
  return *this;
}

Program& Program::Packet(int slot, std::string_view text) {
  const auto* const found = std::find(std::begin(kPackets), std::end(kPackets), text);
  Require(found != std::end(kPackets), "a packet of the list");
  return Add(Op::kPacket, {slot, static_cast<int>(found - std::begin(kPackets))});
}

Program& Program::Time(int ms) {
  const auto* const found = std::find(std::begin(kTimesMs), std::end(kTimesMs), ms);
  Require(found != std::end(kTimesMs), "a time of the list");
  return Add(Op::kTime, {static_cast<int>(found - std::begin(kTimesMs))});
}

Program& Program::GoOn() {
  bytes_[last_op_] = static_cast<char>(static_cast<uint8_t>(bytes_[last_op_]) | kGoesOn);
  return *this;
}

}  // namespace sessioncast::fuzz
