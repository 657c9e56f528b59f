#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace sessioncast::tests {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kMask[4] = {0x12, 0x34, 0x56, 0x78};

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

void ParseResponseHead(std::string_view head, RawResponse& response) {
  response.status = std::atoi(std::string(head.substr(9, 3)).c_str());
  size_t begin = head.find("\r\n") + 2;
  while (begin < head.size()) {
    const size_t end = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, end - begin);
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos) {
      std::string& value = response.headers[Lower(std::string(line.substr(0, colon)))];
      if (!value.empty()) value += ", ";
      value += line.substr(colon + 2);
    }
    if (end == std::string_view::npos) break;
    begin = end + 2;
  }
}

}  // namespace

RawTcp::RawTcp(uint16_t port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Close();
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

RawTcp::~RawTcp() { Close(); }

RawTcp::RawTcp(RawTcp&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      ended_(other.ended_),
      buffer_(std::move(other.buffer_)) {}

bool RawTcp::Send(std::string_view bytes) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (!bytes.empty()) {
    const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(sent);
      continue;
    }
    pollfd wait = {descriptor_, POLLOUT, 0};
    if (errno != EAGAIN || poll(&wait, 1, MillisecondsUntil(deadline)) != 1) return false;
  }
  return true;
}

bool RawTcp::ReadSome(std::chrono::milliseconds patience) {
  pollfd wait = {descriptor_, POLLIN, 0};
  if (descriptor_ < 0 || poll(&wait, 1, static_cast<int>(patience.count())) != 1) {
    ended_ = descriptor_ < 0;
    return false;
  }
  char bytes[65536];
  const ssize_t size = recv(descriptor_, bytes, sizeof(bytes), 0);
  if (size <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(bytes, size);
  return true;
}

bool RawTcp::ReadsEnd(std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (ReadSome(std::chrono::milliseconds(MillisecondsUntil(deadline)))) {
  }
  return ended_;
}

void RawTcp::ShutdownWriting() { shutdown(descriptor_, SHUT_WR); }

void RawTcp::Reset() {
  const linger at_once = {1, 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  Close();
}

void RawTcp::Close() {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

RawResponse ReadResponse(RawTcp& tcp) {
  RawResponse response;
  std::string& buffer = tcp.buffer();
  size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!tcp.ReadSome()) return response;
  }
  ParseResponseHead(std::string_view(buffer).substr(0, end), response);
  buffer.erase(0, end + 4);
  const auto length = response.headers.find("content-length");
  const size_t body = length == response.headers.end() ? 0 : std::stoul(length->second);
  while (buffer.size() < body) {
    if (!tcp.ReadSome()) break;
  }
  response.body = buffer.substr(0, body);
  buffer.erase(0, body);
  return response;
}

std::string Format(const RawRequest& request) {
  std::string bytes = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (!request.headers.contains("Host")) bytes += "Host: localhost\r\n";
  for (const auto& [name, value] : request.headers) bytes += name + ": " + value + "\r\n";
  const bool has_length = request.headers.contains("Content-Length");
  if (!has_length && (request.method == "POST" || !request.body.empty())) {
    bytes += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return bytes + "\r\n" + request.body;
}

bool Send(RawTcp& tcp, const RawRequest& request) { return tcp.Send(Format(request)); }

RawResponse Fetch(uint16_t port, const RawRequest& request) {
  RawTcp tcp(port);
  Send(tcp, request);
  return ReadResponse(tcp);
}

uint16_t RawFrame::close_code() const {
  if (payload.size() < 2) return 1005;
  return static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 |
                               static_cast<uint8_t>(payload[1]));
}

std::string FrameBytes(uint8_t first_byte, std::string_view payload) {
  std::string bytes(1, static_cast<char>(first_byte));
  size_t length_bytes = 0;
  if (payload.size() <= 125) {
    bytes.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    length_bytes = payload.size() <= 0xFFFF ? 2 : 8;
    bytes.push_back(static_cast<char>(0x80 | (length_bytes == 2 ? 126 : 127)));
  }
  for (size_t i = length_bytes; i > 0; --i) {
    bytes.push_back(static_cast<char>(payload.size() >> (8 * (i - 1))));
  }
  bytes.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) {
    bytes.push_back(static_cast<char>(payload[i] ^ kMask[i % 4]));
  }
  return bytes;
}

RawWebSocket::RawWebSocket(uint16_t port, std::string target,
                           std::map<std::string, std::string> headers)
    : tcp_(port) {
  RawRequest request;
  request.target = std::move(target);
  request.headers = {{"Connection", "Upgrade"},
                     {"Upgrade", "websocket"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  for (auto& [name, value] : headers) request.headers[name] = value;
  Send(tcp_, request);
  response_ = ReadResponse(tcp_);
}

bool RawWebSocket::SendText(std::string_view text) { return SendBytes(FrameBytes(0x81, text)); }

bool RawWebSocket::SendBinary(std::string_view bytes) { return SendBytes(FrameBytes(0x82, bytes)); }

std::optional<RawFrame> RawWebSocket::ReadFrame(std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  const std::string& buffer = tcp_.buffer();
  const auto need = [&](size_t size) {
    while (buffer.size() < size) {
      if (!tcp_.ReadSome(std::chrono::milliseconds(MillisecondsUntil(deadline)))) return false;
    }
    return true;
  };
  if (!need(2)) return std::nullopt;
  const uint8_t short_length = buffer[1] & 0x7F;
  const size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  if (!need(2 + length_bytes)) return std::nullopt;
  size_t length = length_bytes == 0 ? short_length : 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length = length << 8 | static_cast<uint8_t>(buffer[2 + i]);
  }
  if (!need(2 + length_bytes + length)) return std::nullopt;
  RawFrame frame;
  frame.fin = (buffer[0] & 0x80) != 0;
  frame.opcode = buffer[0] & 0x0F;
  frame.payload = buffer.substr(2 + length_bytes, length);
  tcp_.buffer().erase(0, 2 + length_bytes + length);
  return frame;
}

std::string RawWebSocket::ReadText(std::chrono::milliseconds patience) {
  const std::optional<RawFrame> frame = ReadFrame(patience);
  return frame && frame->opcode == 1 ? frame->payload : "";
}

uint16_t RawWebSocket::ReadClose() {
  while (std::optional<RawFrame> frame = ReadFrame()) {
    if (frame->opcode == 8) return frame->close_code();
  }
  return 0;
}

}  // namespace sessioncast::tests
