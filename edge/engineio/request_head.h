// The head of an HTTP/1.1 request, read strictly, and the head of a response. Pure.
//
// Beast reads the grammar; what it lets pass beyond that is refused here. Strict, since whoever stands before us (a proxy) must not read a request's end elsewhere than we
// do: no bare LF, no folded lines, one plain Content-Length, no Transfer-Encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "edge/engineio/http.h"

namespace sessioncast::engineio {

struct RequestHead {
  HttpRequest request;  // without body and remote_address
  uint64_t content_length = 0;
  bool keep_alive = true;
  bool wants_continue = false;   // Expect: 100-continue
  bool wants_websocket = false;  // Connection: upgrade, Upgrade: websocket
};

// The request cannot be read: answer with this status, and close.
struct BadHead {
  unsigned status = 400;
};

// More bytes are needed.
struct PartialHead {};

struct ReadHead {
  RequestHead head;
  size_t bytes = 0;  // how long it was
};

inline constexpr size_t kHeaderFieldsMax = 100;

// Which other protocol a connection that begins so speaks: "TLS", "HTTP/2", "not HTTP"; it would not
// understand an answer. Empty: it may be HTTP/1.
std::string_view OtherProtocol(std::string_view bytes);

// `bytes_max`: of the request line, and of the header fields, each.
std::variant<PartialHead, BadHead, ReadHead> ParseHead(std::string_view bytes, size_t bytes_max);

// Status line and fields, up to and with the empty line.
std::string FormatHead(unsigned status, const HttpFields& fields);

// The whole of the first field with this name, split at commas, contains `token` (ASCII case
// ignored).
bool HasToken(const HttpFields& fields, std::string_view name, std::string_view token);

// application/x-www-form-urlencoded: '+' is a space, percent escapes are decoded, bad ones stay as
// they are.
HttpFields DecodeQuery(std::string_view query);

// The value of the last parameter with exactly this name; nothing if there is none.
std::optional<std::string_view> LastParameter(const HttpFields& query, std::string_view name);

// A path with a `.` or `..` segment, or a NUL, percent-encoded or not: it could mean another path
// to somebody else.
bool IsSuspiciousPath(std::string_view path);

}  // namespace sessioncast::engineio
