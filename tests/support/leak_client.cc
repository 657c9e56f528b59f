#include "tests/support/leak_client.h"

#include <poll.h>

#include <utility>

namespace sessioncast::tests {
namespace {

constexpr size_t kSidCharacters = 20;
constexpr std::string_view kSidKey = "\"sid\":\"";
constexpr char kText = static_cast<char>(0x81);
constexpr char kClose = static_cast<char>(0x88);

}  // namespace

std::string LeakClient::Target(std::string_view transport) const {
  std::string target = path_ + "?EIO=4&transport=";
  target += transport;
  return sid_.empty() ? target : target + "&sid=" + sid_;
}

bool LeakClient::Open(std::optional<RawTcp>& tcp) {
  if (!tcp) tcp.emplace(port_);
  return tcp->descriptor() >= 0;
}

// ---- polling

bool LeakClient::SendGetOn(std::optional<RawTcp>& tcp) {
  return Open(tcp) && Send(*tcp, {"GET", Target("polling"), {}, ""});
}

bool LeakClient::SendPost(std::string_view body) {
  return SendRequest({"POST", Target("polling"), {}, std::string(body)});
}

bool LeakClient::SendRequest(const RawRequest& request) { return SendHttpBytes(Format(request)); }

bool LeakClient::SendHttpBytes(std::string_view bytes) { return Open(http_) && http_->Send(bytes); }

bool LeakClient::SendHalfOfPost() {
  RawRequest request = {"POST", Target("polling"), {}, ""};
  request.headers = {{"Content-Length", "10"}, {"Expect", "100-continue"}};
  return SendRequest(request) && ReadResponse(*http_).status == 100 && http_->Send("4half");
}

bool LeakClient::ReadOpen() {
  const RawResponse response = ReadResponse(*http_);
  const size_t key = response.body.find(kSidKey);
  if (response.status != 200 || key == std::string::npos) return false;
  sid_ = response.body.substr(key + kSidKey.size(), kSidCharacters);
  return true;
}

bool LeakClient::ReadAnswerOn(std::optional<RawTcp>& tcp, int status, std::string_view body) {
  const RawResponse response = ReadResponse(*tcp);
  return response.status == status && response.body == body;
}

bool LeakClient::ReadOverlap() {
  return ReadResponse(*http_).status + ReadResponse(*second_).status == 200 + 400;
}

bool LeakClient::ReadStatus(int status) { return ReadResponse(*http_).status == status; }

// ---- websocket

bool LeakClient::SendWebSocketRequestAnd(std::string_view more) {
  RawRequest request = {"GET", Target("websocket"), {}, ""};
  request.headers = {{"Connection", "Upgrade"},
                     {"Upgrade", "websocket"},
                     {"Sec-WebSocket-Version", "13"},
                     {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  return Open(websocket_) && websocket_->Send(Format(request).append(more));
}

bool LeakClient::ReadWebSocketOpen() {
  if (ReadResponse(*websocket_).status != 101) return false;
  return !sid_.empty() || ReadFrame("0{");
}

bool LeakClient::IsAnswered() {
  pollfd wait = {websocket_->descriptor(), POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(kPatience.count())) == 1;
}

bool LeakClient::SendFrame(std::string_view text) {
  return websocket_->Send(FrameBytes(0x81, text));
}

std::optional<std::string> LeakClient::NextFrame(uint8_t first_byte) {
  std::string& buffer = websocket_->buffer();
  const auto has = [&](size_t size) {
    while (buffer.size() < size) {
      if (!websocket_->ReadSome()) return false;
    }
    return true;
  };
  if (!has(2) || static_cast<uint8_t>(buffer[0]) != first_byte) return std::nullopt;
  size_t header = 2;
  size_t length = static_cast<uint8_t>(buffer[1]);
  if (length == 126) {
    header = 4;
    if (!has(header)) return std::nullopt;
    length = static_cast<uint8_t>(buffer[2]) << 8 | static_cast<uint8_t>(buffer[3]);
  }
  if (!has(header + length)) return std::nullopt;
  std::string text = buffer.substr(header, length);
  buffer.erase(0, header + length);
  return text;
}

bool LeakClient::ReadFrame(std::string_view begin) {
  const std::optional<std::string> text = NextFrame(static_cast<uint8_t>(kText));
  return text && text->substr(0, begin.size()) == begin;
}

bool LeakClient::ReadEnd() {
  return NextFrame(static_cast<uint8_t>(kClose)).has_value() && websocket_->ReadsEnd();
}

bool LeakClient::WriteUntilReset() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!websocket_->Send("x")) return true;
    pollfd wait = {websocket_->descriptor(), 0, 0};
    poll(&wait, 1, 5);
  }
  return false;
}

// ---- leaving

bool LeakClient::Leave(std::optional<RawTcp>& tcp) {
  if (!tcp) return false;
  number_ % 2 == 0 ? tcp->Close() : tcp->Reset();
  tcp.reset();
  return true;
}

bool LeakClient::LeaveHttp() { return Leave(http_); }
bool LeakClient::LeaveSecond() { return Leave(second_); }
bool LeakClient::LeaveWebSocket() { return Leave(websocket_); }

bool LeakClient::CloseHttp() {
  http_->Close();
  return true;
}

bool LeakClient::CloseWebSocket() {
  websocket_->Close();
  return true;
}

bool LeakClient::ResetWebSocket() {
  websocket_->Reset();
  return true;
}

}  // namespace sessioncast::tests
