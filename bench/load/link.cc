#include "bench/load/link.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sessioncast::bench {
namespace {

constexpr char kPath[] = "/socket.io/?EIO=4&transport=";
constexpr char kRecordSeparator = '\x1e';

// Bytes that came, of which the front is taken; copied only when something is left over.
class Pending {
 public:
  std::string_view Join(std::string_view bytes) {
    if (kept_.empty()) return bytes;
    kept_.append(bytes);
    return kept_;
  }
  void Keep(std::string_view rest) { kept_ = std::string(rest); }

 private:
  std::string kept_;
};

class WebSocketLink : public Link {
 public:
  std::string Begin(const std::string& host) override {
    return absl::StrCat("GET ", kPath, "websocket HTTP/1.1\r\nHost: ", host,
                        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                        "c2Vzc2lvbmNhc3RiZW5jaA==\r\n\r\n");
  }

  bool Take(std::string_view bytes, OnPacket on_packet) override {
    std::string_view rest = pending_.Join(bytes);
    bool is_well = is_upgraded_ || TakeResponse(rest);
    while (is_well && is_upgraded_ && TakeFrame(rest, on_packet, is_well)) {
    }
    pending_.Keep(rest);
    return is_well;
  }

  // Masked with zeros, which leaves it as it is.
  void Put(std::string_view packet) override {
    output_.push_back('\x81');
    if (packet.size() < 126) {
      output_.push_back(static_cast<char>(0x80 | packet.size()));
    } else {
      output_.push_back(static_cast<char>(0x80 | 126));
      output_.push_back(static_cast<char>(packet.size() >> 8));
      output_.push_back(static_cast<char>(packet.size()));
    }
    output_.append(4, '\0').append(packet);
  }

  std::string TakeOutput() override { return std::exchange(output_, {}); }

 private:
  bool TakeResponse(std::string_view& rest) {
    const size_t end = rest.find("\r\n\r\n");
    if (end == rest.npos) return true;
    if (!rest.starts_with("HTTP/1.1 101")) return false;
    is_upgraded_ = true;
    rest.remove_prefix(end + 4);
    return true;
  }

  // False: no whole frame is there, or `is_well` is false.
  bool TakeFrame(std::string_view& rest, OnPacket on_packet, bool& is_well) {
    if (rest.size() < 2) return false;
    const auto byte = [&](size_t at) { return static_cast<uint8_t>(rest[at]); };
    size_t size = byte(1) & 0x7F;
    size_t head = 2;
    if (size >= 126) {
      const size_t length_bytes = size == 126 ? 2 : 8;
      head += length_bytes;
      if (rest.size() < head) return false;
      size = 0;
      for (size_t i = 2; i < head; ++i) size = size << 8 | byte(i);
    }
    if (rest.size() - head < size) return false;
    is_well = byte(0) == 0x81;  // whole text; a close frame is the end
    if (!is_well) return false;
    on_packet(rest.substr(head, size));
    rest.remove_prefix(head + size);
    return true;
  }

  bool is_upgraded_ = false;
  Pending pending_;
  std::string output_;
};

// One request at a time on one connection: a POST of what is to be sent, else a GET.
class PollingLink : public Link {
 public:
  std::string Begin(const std::string& host) override {
    host_ = host;
    is_waiting_ = true;
    return Get();
  }

  bool Take(std::string_view bytes, OnPacket on_packet) override {
    const std::string_view all = pending_.Join(bytes);
    const size_t head_end = all.find("\r\n\r\n");
    size_t size = 0;
    if (head_end == all.npos || !ReadLength(all.substr(0, head_end), size) ||
        all.size() - head_end - 4 < size) {
      pending_.Keep(all);
      return true;
    }
    if (!all.starts_with("HTTP/1.1 200")) return false;
    is_waiting_ = false;
    if (!std::exchange(posts_, false)) TakePayload(all.substr(head_end + 4, size), on_packet);
    pending_.Keep(all.substr(head_end + 4 + size));
    return true;
  }

  void Put(std::string_view packet) override {
    if (!payload_.empty()) payload_.push_back(kRecordSeparator);
    payload_.append(packet);
  }

  std::string TakeOutput() override {
    if (std::exchange(is_waiting_, true)) return {};
    if (payload_.empty()) return Get();
    posts_ = true;
    const std::string payload = std::exchange(payload_, {});
    return absl::StrCat("POST ", kPath, "polling&sid=", sid_, " HTTP/1.1\r\nHost: ", host_,
                        "\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: ",
                        payload.size(), "\r\n\r\n", payload);
  }

 private:
  std::string Get() const {
    return absl::StrCat("GET ", kPath, "polling", sid_.empty() ? "" : "&sid=", sid_,
                        " HTTP/1.1\r\nHost: ", host_, "\r\n\r\n");
  }

  static bool ReadLength(std::string_view head, size_t& size) {
    constexpr std::string_view kName = "\r\ncontent-length: ";
    for (size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
      const std::string_view line = head.substr(at);
      if (line.size() < kName.size() ||
          !absl::EqualsIgnoreCase({line.data(), kName.size()}, {kName.data(), kName.size()})) {
        continue;
      }
      std::from_chars(line.data() + kName.size(), line.data() + line.size(), size);
      return true;
    }
    return false;
  }

  void TakePayload(std::string_view payload, OnPacket on_packet) {
    while (!payload.empty()) {
      const size_t end = std::min(payload.find(kRecordSeparator), payload.size());
      const std::string_view packet = payload.substr(0, end);
      if (sid_.empty()) ReadSid(packet);
      on_packet(packet);
      payload.remove_prefix(std::min(end + 1, payload.size()));
    }
  }

  void ReadSid(std::string_view packet) {
    constexpr std::string_view kName = "\"sid\":\"";
    const size_t at = packet.find(kName);
    if (at == packet.npos) return;
    const std::string_view rest = packet.substr(at + kName.size());
    sid_ = std::string(rest.substr(0, rest.find('"')));
  }

  std::string host_;
  std::string sid_;
  std::string payload_;      // of the next POST
  bool is_waiting_ = false;  // for the response to a request
  bool posts_ = false;       // that request is a POST
  Pending pending_;
};

}  // namespace

std::unique_ptr<Link> MakeLink(Transport transport) {
  if (transport == Transport::kPolling) return std::make_unique<PollingLink>();
  return std::make_unique<WebSocketLink>();
}

}  // namespace sessioncast::bench
