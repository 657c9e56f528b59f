// The head of an HTTP request: what is read ends where it says, stays the same whatever follows,
// and has nothing in it that could be read as another line; what a reply echoes neither.
#include <algorithm>
#include <optional>
#include <variant>

#include "absl/strings/match.h"
#include "edge/engineio/origin_policy.h"
#include "edge/engineio/request_head.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using engineio::BadHead;
using engineio::HttpFields;
using engineio::PartialHead;
using engineio::ReadHead;
using engineio::RequestHead;

constexpr size_t kBytesMax = 1'024;
// Fields, parsed twice (Beast's, ours), each in a block of its own, and the query.
constexpr size_t kHeapBytesMax = 256 * kBytesMax;

std::variant<PartialHead, BadHead, ReadHead> Parse(std::string_view bytes) {
  return engineio::ParseHead(bytes, kBytesMax);
}

bool HasLineEnd(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

size_t Count(const HttpFields& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [&](const auto& field) {
    return absl::EqualsIgnoreCase(field.first, absl::string_view(name.data(), name.size()));
  });
}

bool IsSame(const RequestHead& a, const RequestHead& b) {
  return a.request.method == b.request.method && a.request.target == b.request.target &&
         a.request.path == b.request.path && a.request.query == b.request.query &&
         a.request.headers == b.request.headers && a.content_length == b.content_length &&
         a.keep_alive == b.keep_alive && a.wants_continue == b.wants_continue &&
         a.wants_websocket == b.wants_websocket;
}

// As a proxy could send it on.
std::string Write(const RequestHead& head) {
  std::string written = head.request.method + " " + head.request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : head.request.headers) written += name + ": " + value + "\r\n";
  return written + "\r\n";
}

void CheckHead(const RequestHead& head) {
  const HttpFields& fields = head.request.headers;
  Require(fields.size() <= engineio::kHeaderFieldsMax, "fields have a limit");
  Require(!head.request.method.empty() && !head.request.target.empty(), "there is a request line");
  Require(!HasLineEnd(head.request.method) && !HasLineEnd(head.request.target), "one line");
  for (const auto& [name, value] : fields) {
    Require(!name.empty() && !HasLineEnd(name) && !HasLineEnd(value), "a field is one line");
  }
  Require(Count(fields, "Transfer-Encoding") == 0, "no body of unknown length");
  Require(Count(fields, "Content-Length") <= 1, "one length");
  const std::string_view length = engineio::FindField(fields, "Content-Length");
  Require(length.find_first_not_of("0123456789") == std::string_view::npos, "a length is digits");
  if (Count(fields, "Host") != 1) return;  // HTTP/1.0
  // Room for the spaces that may have been left out.
  const auto again = engineio::ParseHead(Write(head), 2 * kBytesMax);
  const ReadHead* read = std::get_if<ReadHead>(&again);
  Require(read != nullptr && read->head.request.headers == fields &&
              read->head.request.target == head.request.target &&
              read->head.content_length == head.content_length,
          "what is sent on reads the same");
}

void CheckReply(const RequestHead& head) {
  const HttpFields& fields = head.request.headers;
  const engineio::OriginPolicy policy;
  if (engineio::JudgeOrigin(policy, fields) != engineio::OriginVerdict::kAllowed) return;
  HttpFields reply = engineio::CorsFields(policy, fields);
  const HttpFields preflight = engineio::PreflightFields(fields);
  reply.insert(reply.end(), preflight.begin(), preflight.end());
  const std::string written = engineio::FormatHead(204, reply);
  const size_t lines = std::count(written.begin(), written.end(), '\n');
  Require(lines == reply.size() + 2, "what is echoed makes no line of its own");
}

void CheckRead(std::string_view bytes, const ReadHead& read) {
  Require(read.bytes <= bytes.size() && read.bytes <= 2 * kBytesMax + 2, "the head has a limit");
  const std::string_view head = bytes.substr(0, read.bytes);
  Require(head.substr(head.size() - 4) == "\r\n\r\n", "it ends in an empty line");
  const auto again = Parse(head);
  const ReadHead* alone = std::get_if<ReadHead>(&again);
  Require(alone != nullptr && alone->bytes == read.bytes && IsSame(alone->head, read.head),
          "it is the same whatever follows");
  const size_t cut = Dice(head).Roll(head.size());
  Require(std::holds_alternative<PartialHead>(Parse(head.substr(0, cut))), "no part of it is one");
  CheckHead(read.head);
  CheckReply(read.head);
  (void)engineio::IsSuspiciousPath(read.head.request.path);
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string post = "POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\n";
  return {"GET /a%20b?x=1+2&y=%41&x=3&z HTTP/1.1\r\nHost: h:1\r\nX-A:  v \r\n\r\nrest",
          "GET / HTTP/1.0\r\n\r\n",
          "GET / HTTP/1.1\nHost: a\n\n",
          "GET /..%2f HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost\r\n"
          "Access-Control-Request-Headers: x-a\r\n\r\n",
          "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
          post + "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nhello",
          post + "Content-Length: 5, 5\r\n\r\n",
          post + "Content-Length: +5\r\n\r\n",
          post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
          post + "Content-Length: 99999999999999999999\r\n\r\n",
          post + "Transfer-Encoding: chunked\r\n\r\n",
          post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  using fuzz::Require;
  const std::string_view text = fuzz::Text(bytes, size);
  const fuzz::HeapPeak peak;
  const auto parsed = fuzz::Parse(text);
  Require(peak.bytes() <= fuzz::kHeapBytesMax, "memory has a limit");
  (void)engineio::OtherProtocol(text);
  if (const auto* read = std::get_if<engineio::ReadHead>(&parsed)) {
    fuzz::CheckRead(text, *read);
  } else if (const auto* bad = std::get_if<engineio::BadHead>(&parsed)) {
    Require(bad->status >= 400 && bad->status <= 505, "a status for it");
    const auto more = fuzz::Parse(std::string(text) + "\r\n\r\n");
    Require(std::holds_alternative<engineio::BadHead>(more), "what is bad stays bad");
  } else {
    Require(size <= 2 * fuzz::kBytesMax + 2, "more is not waited for without an end");
  }
  return 0;
}
