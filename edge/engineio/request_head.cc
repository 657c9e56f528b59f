#include "edge/engineio/request_head.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "boost/beast/http/empty_body.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/status.hpp"

namespace sessioncast::engineio {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kLineEnd = "\r\n";
// Of one field; Beast throws beyond it, whatever limit it was given.
constexpr size_t kFieldBytesMax = 65'533;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }
std::string_view Std(boost::beast::string_view text) { return {text.data(), text.size()}; }

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

unsigned StatusOf(const boost::beast::error_code& error, std::string_view bytes) {
  const bool names_a_version =
      bytes.substr(0, bytes.find('\n')).find("HTTP/") != std::string_view::npos;
  return error == http::error::bad_version && names_a_version ? 505 : 400;
}

void SetTarget(std::string_view target, HttpRequest& request) {
  const size_t mark = target.find('?');
  request.target = target;
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = DecodeQuery(target.substr(mark + 1));
}

size_t CountFields(const HttpFields& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [name](const auto& field) {
    return absl::EqualsIgnoreCase(Absl(field.first), Absl(name));
  });
}

// What Beast lets pass, and a proxy could read otherwise.
std::optional<unsigned> CheckFraming(const RequestHead& head, bool is_http_1_1) {
  const HttpFields& fields = head.request.headers;
  const size_t hosts = CountFields(fields, "Host");
  if (hosts > 1 || (hosts == 0 && is_http_1_1)) return 400;
  const size_t lengths = CountFields(fields, "Content-Length");
  if (CountFields(fields, "Transfer-Encoding") > 0) return lengths > 0 ? 400 : 411;
  const bool is_list = FindField(fields, "Content-Length").find(',') != std::string_view::npos;
  return lengths > 1 || is_list ? std::optional<unsigned>(400) : std::nullopt;
}

void ReadConnection(RequestHead& head) {
  const HttpFields& fields = head.request.headers;
  head.wants_continue = absl::EqualsIgnoreCase(Absl(FindField(fields, "Expect")), "100-continue");
  head.wants_websocket =
      HasToken(fields, "Connection", "upgrade") && HasToken(fields, "Upgrade", "websocket");
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

enum class Plus { kIsSpace, kStays };

std::string DecodePercent(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::kIsSpace) {
      decoded.push_back(' ');
    } else if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
               HexDigit(text[i + 2]) >= 0) {
      decoded.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// Where the head ends, seen from outside: lines and their lengths. Nothing: not yet.
struct Outline {
  std::optional<unsigned> bad;  // the status to refuse it with
  size_t bytes = 0;             // 0: more is needed
};

Outline FindEnd(std::string_view bytes, size_t bytes_max) {
  const size_t first = bytes.find('\n');
  if (std::min(first, bytes.size()) > bytes_max) return {.bad = 414};
  size_t lines = 0;
  size_t begin = 0;
  for (size_t end = first; end != std::string_view::npos; end = bytes.find('\n', begin)) {
    const bool is_too_long = begin > 0 && end - begin > kFieldBytesMax;
    const bool is_end = begin > 0 && end == begin + 1;
    if (end - first > bytes_max || (lines++ > kHeaderFieldsMax && !is_end) || is_too_long) {
      return {.bad = 431};
    }
    if (end == begin || bytes[end - 1] != '\r') return {.bad = 400};  // a bare LF
    if (begin > 0 && end == begin + 1) return {.bad = std::nullopt, .bytes = end + 1};
    if (bytes[begin] == ' ' || bytes[begin] == '\t') return {.bad = 400};  // folded
    begin = end + 1;
  }
  if (first != std::string_view::npos && bytes.size() - first > bytes_max) return {.bad = 431};
  return {};
}

}  // namespace

std::string_view OtherProtocol(std::string_view bytes) {
  constexpr char kTlsHandshake = 0x16;
  constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";
  if (bytes.empty()) return {};
  if (bytes.front() == kTlsHandshake) return "TLS";
  if (bytes.substr(0, kHttp2Preface.size()) == kHttp2Preface) return "HTTP/2";
  return IsTokenCharacter(bytes.front()) ? std::string_view() : "not HTTP";
}

std::variant<PartialHead, BadHead, ReadHead> ParseHead(std::string_view bytes, size_t bytes_max) {
  const Outline outline = FindEnd(bytes, bytes_max);
  if (outline.bad) return BadHead{*outline.bad};
  if (outline.bytes == 0) return PartialHead{};
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<uint32_t>(outline.bytes));
  parser.body_limit(boost::none);  // the body is not read here
  parser.skip(true);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), outline.bytes), error);
  if (error) return BadHead{StatusOf(error, bytes)};
  ReadHead read;
  read.bytes = outline.bytes;
  RequestHead& head = read.head;
  const auto& message = parser.get();
  head.request.method = Std(message.method_string());
  SetTarget(Std(message.target()), head.request);
  if (head.request.target.front() != '/' && head.request.target != "*") return BadHead{400};
  for (const auto& field : message) {
    head.request.headers.emplace_back(Std(field.name_string()), Std(field.value()));
  }
  if (std::optional<unsigned> bad = CheckFraming(head, message.version() == 11)) {
    return BadHead{*bad};
  }
  head.content_length = parser.content_length().value_or(0);
  head.keep_alive = message.keep_alive();
  ReadConnection(head);
  return read;
}

std::string FormatHead(unsigned status, const HttpFields& fields) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", status, " ",
                   Absl(Std(http::obsolete_reason(http::int_to_status(status)))), "\r\n");
  for (const auto& [name, value] : fields) {
    head.append(name).append(": ").append(value).append(kLineEnd);
  }
  head.append(kLineEnd);
  return head;
}

bool HasToken(const HttpFields& fields, std::string_view name, std::string_view token) {
  for (absl::string_view part : absl::StrSplit(Absl(FindField(fields, name)), ',')) {
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(part), Absl(token))) return true;
  }
  return false;
}

HttpFields DecodeQuery(std::string_view query) {
  HttpFields parameters;
  for (absl::string_view part : absl::StrSplit(Absl(query), '&', absl::SkipEmpty())) {
    const std::string_view parameter(part.data(), part.size());
    const size_t equals = parameter.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
    parameters.emplace_back(DecodePercent(parameter.substr(0, equals), Plus::kIsSpace),
                            DecodePercent(value, Plus::kIsSpace));
  }
  return parameters;
}

std::optional<std::string_view> LastParameter(const HttpFields& query, std::string_view name) {
  for (auto parameter = query.rbegin(); parameter != query.rend(); ++parameter) {
    if (parameter->first == name) return parameter->second;
  }
  return std::nullopt;
}

bool IsSuspiciousPath(std::string_view path) {
  const std::string decoded = DecodePercent(path, Plus::kStays);
  if (decoded.find('\0') != std::string::npos) return true;
  for (absl::string_view segment : absl::StrSplit(decoded, absl::ByAnyChar("/\\"))) {
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

}  // namespace sessioncast::engineio
