#include "tests/fuzz/connection/client_side.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "edge/engineio/http.h"
#include "edge/engineio/packet.h"
#include "edge/engineio/utf8.h"
#include "nlohmann/json.hpp"
#include "tests/fuzz/connection/states.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using Json = nlohmann::json;

constexpr size_t kHeadBytesMax = 16 * 1024;
constexpr size_t kPayloadPacketsMax = 10'000;

bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '\x7F';
  });
}

struct Head {
  unsigned status = 0;
  engineio::HttpFields fields;
};

Head ReadHead(std::string_view text) {
  const std::vector<std::string> lines =
      absl::StrSplit(absl::string_view(text.data(), text.size()), "\r\n");
  Head head;
  Require(lines[0].size() >= 13 && lines[0].substr(0, 9) == "HTTP/1.1 " && lines[0][12] == ' ' &&
              absl::SimpleAtoi(lines[0].substr(9, 3), &head.status) && IsPlain(lines[0]),
          "a response begins with a status line");
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(": ");
    Require(colon != std::string::npos && colon > 0 && IsPlain(lines[i]) &&
                lines[i].find(' ') == colon + 1,
            "a response's field is one");
    head.fields.emplace_back(lines[i].substr(0, colon), lines[i].substr(colon + 2));
  }
  return head;
}

void CheckSocketIo(std::string_view text) {
  Require(!text.empty() && text[0] >= '0' && text[0] <= '6', "a Socket.IO packet has a type");
  const bool is_binary = text[0] == '5' || text[0] == '6';
  text.remove_prefix(1);
  const auto skip_digits = [&text] {
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') text.remove_prefix(1);
  };
  if (is_binary) {
    skip_digits();
    Require(text.substr(0, 1) == "-", "a Socket.IO packet says its attachments");
    text.remove_prefix(1);
  }
  if (text.substr(0, 1) == "/") {
    const size_t comma = text.find(',');
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  skip_digits();
  Require(text.empty() || Json::accept(text), "a Socket.IO packet's payload is JSON");
}

}  // namespace

TcpClient::TcpClient(Learnt& learnt, size_t kernel_bytes_max)
    : learnt_(learnt), pipe_(std::make_shared<engineio::Pipe>()) {
  pipe_->to_client_max = kernel_bytes_max;
}

void TcpClient::Send(std::string_view bytes) {
  if (pipe_->has_no_more()) return;
  // The answer to a HEAD cannot be told from others by itself.
  if (bytes.find("HEAD") != std::string_view::npos) mode_ = Mode::kUnchecked;
  pipe_->to_server.append(bytes);
  has_sent_ = true;
}

void TcpClient::SendPart(std::string_view text, size_t bytes) {
  Send(text.substr(0, bytes));
  rest_ = text.substr(std::min(bytes, text.size()));
}

void TcpClient::SendRest() { Send(std::exchange(rest_, {})); }

void TcpClient::Take(size_t bytes_max) {
  const size_t bytes = std::min(bytes_max, pipe_->to_client.size());
  if (mode_ != Mode::kUnchecked) in_.append(pipe_->to_client, 0, bytes);
  pipe_->to_client.erase(0, bytes);
  if (mode_ == Mode::kUnchecked) return;
  while (mode_ == Mode::kHttp ? ReadResponse() : ReadFrame()) continue;
}

bool TcpClient::ReadResponse() {
  if (in_.empty()) return false;
  Require(!ended_, "nothing follows the last response");
  const size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) {
    Require(in_.size() <= kHeadBytesMax, "a response's head has an end");
    return false;
  }
  const Head head = ReadHead(std::string_view(in_).substr(0, end));
  size_t size = end + 4;
  const bool has_no_body = head.status < 200 || head.status == 204 || head.status == 304;
  const std::string_view length = engineio::FindField(head.fields, "Content-Length");
  if (!has_no_body) {
    size_t bytes = 0;
    Require(absl::SimpleAtoi(absl::string_view(length.data(), length.size()), &bytes),
            "a response says its length");
    if (in_.size() < size + bytes) return false;
    size += bytes;
  }
  const std::string body = in_.substr(end + 4, size - end - 4);
  in_.erase(0, size);
  NoteState(absl::StrCat("answer: ", head.status));
  if (head.status == 101) {
    mode_ = Mode::kWebSocket;
    return ReadFrame();
  }
  ended_ = head.status >= 200 && engineio::FindField(head.fields, "Connection") == "close";
  OnBody(head.status, engineio::FindField(head.fields, "Content-Type"), body);
  return true;
}

void TcpClient::OnBody(unsigned status, std::string_view type, std::string_view body) {
  if (status == 200 && type == "text/plain; charset=UTF-8") OnPayload(body);
  if (type == "application/json") Require(Json::accept(body), "an error is JSON");
}

void TcpClient::OnPayload(std::string_view payload) {
  Require(engineio::IsUtf8(payload), "a payload is UTF-8");
  const auto packets = engineio::SplitPayload(payload, kPayloadPacketsMax);
  Require(packets.has_value() && !packets->empty(), "a payload has packets");
  for (const std::string_view packet : *packets) OnPacket(packet);
}

void TcpClient::OnPacket(std::string_view text) {
  const std::optional<engineio::Packet> packet = engineio::DecodePacket(text);
  Require(packet.has_value(), "what the server sends is a packet");
  if (packet->type == engineio::PacketType::kOpen) {
    const Json open = Json::parse(packet->body, nullptr, false);
    Require(open.is_object() && open.contains("sid") && open["sid"].is_string(),
            "an open packet has a sid");
    learnt_.sids.push_back(open["sid"]);
  }
  const bool is_message = packet->type == engineio::PacketType::kMessage;
  if (is_message && packet->format == engineio::PacketFormat::kText) OnText(packet->body);
}

void TcpClient::OnText(std::string_view text) { CheckSocketIo(text); }

bool TcpClient::ReadFrame() {
  if (in_.empty()) return false;
  Require(!ended_, "nothing follows a close frame");
  if (in_.size() < 2) return false;
  const auto byte = [this](size_t at) { return static_cast<uint8_t>(in_[at]); };
  const int opcode = byte(0) & 0x0F;
  const bool is_control = opcode >= 8;
  const bool is_known = opcode == 1 || opcode == 2 || (opcode >= 8 && opcode <= 10);
  Require((byte(0) & 0xF0) == 0x80 && is_known, "a frame is whole, without reserved bits");
  Require((byte(1) & 0x80) == 0, "a server's frame has no mask");
  uint64_t size = byte(1);
  const size_t length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (in_.size() < 2 + length_bytes) return false;
  if (length_bytes > 0) size = 0;
  for (size_t i = 0; i < length_bytes; ++i) size = size << 8 | byte(2 + i);
  Require(length_bytes == 0 || size > (length_bytes == 2 ? 125 : 0xFFFF), "the shortest length");
  Require(!is_control || size <= 125, "a control frame is short");
  if (in_.size() - 2 - length_bytes < size) return false;
  const std::string payload = in_.substr(2 + length_bytes, size);
  in_.erase(0, 2 + length_bytes + size);
  if (opcode == 1) {
    Require(engineio::IsUtf8(payload), "a text is UTF-8");
    OnPacket(payload);
  } else if (opcode == 8) {
    OnClose(payload);
  }
  return true;
}

void TcpClient::OnClose(std::string_view payload) {
  ended_ = true;
  if (payload.empty()) return NoteState("close frame: none");
  Require(payload.size() >= 2 && engineio::IsUtf8(payload.substr(2)), "a close has a code");
  const unsigned code =
      static_cast<uint8_t>(payload[0]) << 8 | static_cast<uint8_t>(payload[1]);
  switch (code) {
    case 1000:
    case 1002:
    case 1007:
    case 1008:
    case 1009:
      return NoteState(absl::StrCat("close frame: ", code));
    default:
      Require((code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                  (code >= 3000 && code <= 4999),
              "a close has a code that may be sent");
      return NoteState("close frame: of the client's own code");
  }
}

}  // namespace sessioncast::fuzz
