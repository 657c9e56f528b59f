#include "edge/engineio/request_head.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sessioncast::engineio {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kContentLengthDigitsMax = 15;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenCharacter);
}

bool IsTargetCharacter(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; }

bool IsValueCharacter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Fills method, target, path and query; the status if the line is bad.
std::optional<unsigned> ParseRequestLine(std::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!IsToken(method)) return 400;
  if (target.empty() || !std::all_of(target.begin(), target.end(), IsTargetCharacter)) return 400;
  if (version == "HTTP/1.0") {
    head.keep_alive = false;
  } else if (version != "HTTP/1.1") {
    return version.substr(0, 5) == "HTTP/" ? 505 : 400;
  }
  if (target.front() != '/' && target != "*") return 400;
  HttpRequest& request = head.request;
  request.method = method;
  request.target = target;
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request.query = DecodeQuery(target.substr(mark + 1));
  return std::nullopt;
}

std::optional<unsigned> ParseField(std::string_view line, HttpFields& fields) {
  if (fields.size() == kHeaderFieldsMax) return 431;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return 400;
  const std::string_view value = Trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), IsValueCharacter)) return 400;
  fields.emplace_back(line.substr(0, colon), value);
  return std::nullopt;
}

size_t CountFields(const HttpFields& fields, std::string_view name) {
  return std::count_if(fields.begin(), fields.end(), [name](const auto& field) {
    return absl::EqualsIgnoreCase(Absl(field.first), Absl(name));
  });
}

std::optional<unsigned> ReadFraming(RequestHead& head) {
  const HttpFields& fields = head.request.headers;
  if (CountFields(fields, "Host") != 1 && (head.keep_alive || CountFields(fields, "Host") > 1)) {
    return 400;
  }
  const size_t lengths = CountFields(fields, "Content-Length");
  if (CountFields(fields, "Transfer-Encoding") > 0) return lengths > 0 ? 400 : 411;
  if (lengths > 1) return 400;
  if (lengths == 0) return std::nullopt;
  const std::string_view digits = FindField(fields, "Content-Length");
  if (digits.empty() || digits.size() > kContentLengthDigitsMax) return digits.empty() ? 400 : 413;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return 400;
    head.content_length = head.content_length * 10 + (digit - '0');
  }
  return std::nullopt;
}

void ReadConnection(RequestHead& head) {
  const HttpFields& fields = head.request.headers;
  if (HasToken(fields, "Connection", "close")) {
    head.keep_alive = false;
  } else if (HasToken(fields, "Connection", "keep-alive")) {
    head.keep_alive = true;
  }
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

std::string_view ReasonPhrase(unsigned status) {
  static constexpr std::pair<unsigned, std::string_view> kPhrases[] = {
      {100, "Continue"},
      {101, "Switching Protocols"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {413, "Payload Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {422, "Unprocessable Entity"},
      {426, "Upgrade Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  };
  for (const auto& [known, phrase] : kPhrases) {
    if (known == status) return phrase;
  }
  return "Unknown";
}

}  // namespace

std::variant<PartialHead, BadHead, ReadHead> ParseHead(std::string_view bytes, size_t bytes_max) {
  // What no request begins with is another protocol (TLS, for one), which would not understand an answer.
  if (!bytes.empty() && !IsTokenCharacter(bytes.front())) return BadHead{0};
  const size_t line_end = bytes.find('\n');
  if (std::min(line_end, bytes.size()) > bytes_max) return BadHead{414};
  if (line_end == std::string_view::npos) return PartialHead{};
  ReadHead read;
  size_t begin = 0;
  for (size_t end = line_end; end != std::string_view::npos; end = bytes.find('\n', begin)) {
    if (end - line_end > bytes_max) return BadHead{431};
    if (end == begin || bytes[end - 1] != '\r') return BadHead{400};
    const std::string_view line = bytes.substr(begin, end - 1 - begin);
    if (begin > 0 && line.empty()) {
      read.bytes = end + 1;
      if (std::optional<unsigned> status = ReadFraming(read.head)) return BadHead{*status};
      ReadConnection(read.head);
      return read;
    }
    const std::optional<unsigned> status = begin == 0
                                               ? ParseRequestLine(line, read.head)
                                               : ParseField(line, read.head.request.headers);
    if (status) return BadHead{*status};
    begin = end + 1;
  }
  if (bytes.size() - line_end > bytes_max) return BadHead{431};
  return PartialHead{};
}

std::string FormatHead(unsigned status, const HttpFields& fields) {
  std::string head = absl::StrCat("HTTP/1.1 ", status, " ", Absl(ReasonPhrase(status)), "\r\n");
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
