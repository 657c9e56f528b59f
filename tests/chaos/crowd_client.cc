#include "tests/chaos/crowd_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

namespace sessioncast::chaos {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// As socket.io-client has them.
constexpr milliseconds kPauseMin{1'000};
constexpr milliseconds kPauseMax{5'000};
constexpr double kJitter = 0.5;
constexpr milliseconds kAttemptMax{20'000};

constexpr size_t kReadBytes = 64 * 1024;
constexpr uint8_t kText = 1;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kHead =
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

milliseconds PauseBefore(int attempt, std::mt19937_64& random) {
  const double whole = static_cast<double>(kPauseMin.count()) * std::pow(2, std::min(attempt, 8));
  const double jitter = std::uniform_real_distribution<>(-kJitter, kJitter)(random);
  return std::min(kPauseMax, milliseconds(static_cast<int64_t>(whole * (1 + jitter))));
}

}  // namespace

CrowdClient::CrowdClient(CrowdSetting& setting, const std::string& who, std::string session_id,
                         Time first_connect)
    : setting_(setting),
      who_(who),
      session_id_(std::move(session_id)),
      history_(setting.directory, who, "observer", "raw websocket resume"),
      wake_at_(first_connect) {}

CrowdClient::~CrowdClient() {
  if (descriptor_ >= 0) close(descriptor_);
}

void CrowdClient::Wake(Time now) {
  if (step_ == Step::kAway) return Connect(now);
  if (step_ != Step::kJoined) return Lose(now);
  wake_at_ = Time::max();
}

void CrowdClient::Connect(Time now) {
  descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(setting_.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  step_ = Step::kConnecting;
  wake_at_ = now + kAttemptMax;
  const int result = connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  if (result != 0 && errno != EINPROGRESS) Lose(now);
}

void CrowdClient::OnReady(Time now) {
  if (step_ == Step::kConnecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !Send(kHead)) return Lose(now);
    step_ = Step::kUpgrading;
  }
  if (!Read()) Lose(now);
}

bool CrowdClient::Read() {
  static char bytes[kReadBytes];
  for (;;) {
    const ssize_t size = recv(descriptor_, bytes, sizeof(bytes), 0);
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    received_.append(bytes, size);
    if (step_ == Step::kUpgrading && !TakeHead()) return false;
    if (step_ != Step::kUpgrading && !TakeFrames()) return false;
  }
}

bool CrowdClient::TakeHead() {
  const size_t end = received_.find(kHeadEnd);
  if (end == std::string::npos) return true;
  if (!received_.starts_with("HTTP/1.1 101")) {
    ++setting_.refused;
    return false;
  }
  received_.erase(0, end + kHeadEnd.size());
  step_ = Step::kOpening;
  return true;
}

bool CrowdClient::TakeFrames() {
  std::string_view rest = received_;
  while (const std::optional<ServerFrame> frame = TakeFrame(rest)) {
    if (frame->opcode != kText || !TakePacket(frame->payload)) return false;
  }
  received_.erase(0, received_.size() - rest.size());
  return true;
}

bool CrowdClient::TakePacket(std::string_view packet) {
  if (packet.starts_with("42")) return TakeEvent(packet);
  if (packet == "2") return Send(TextFrame("3"));
  if (packet.starts_with("40")) return Join();
  if (packet.starts_with("0")) return Send(TextFrame("40"));
  return false;
}

bool CrowdClient::Join() {
  step_ = Step::kJoined;
  wake_at_ = Time::max();
  attempts_ = 0;
  ++setting_.connects;
  history_.Write("connected", {{"recovered", false}});
  const json after = {{"epoch", epoch_}, {"sequence", sequence_}};
  history_.Write("subscribe", {{"session", session_id_}, {"after", after}});
  const json asked =
      json::array({"subscribe", json::object({{"sessionId", session_id_}, {"after", after}})});
  return Send(TextFrame("42" + asked.dump()));
}

bool CrowdClient::TakeEvent(std::string_view packet) {
  const CrowdEvent& event = setting_.events.Parse(packet);
  if (event.line.is_null()) {
    if (event.name == "connected") return true;
    ++setting_.refused;
    history_.Write("refused", {{"session", event.session_id}, {"error", std::string(packet)}});
    return false;
  }
  if (event.name == "subscribed" || event.name == "resync") {
    history_.Write(event.name, event.line);
    is_subscribed_ = is_back_ = true;
  } else {
    history_.Write("event", event.line);
    ++setting_.delivered;
    if (event.epoch == epoch_ && event.sequence <= sequence_) return true;
  }
  epoch_ = event.epoch;
  sequence_ = event.sequence;
  return true;
}

// What it says is little: the kernel takes it at once, or the connection is not worth keeping.
bool CrowdClient::Send(std::string_view bytes) {
  const ssize_t sent = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(bytes.size());
}

void CrowdClient::Lose(Time now) {
  if (step_ == Step::kJoined) history_.Write("disconnected", {{"reason", "transport close"}});
  close(std::exchange(descriptor_, -1));
  received_.clear();
  step_ = Step::kAway;
  is_subscribed_ = false;
  wake_at_ = now + PauseBefore(attempts_++, setting_.random);
}

std::string CrowdClient::Missing(const json& tops) const {
  const json& top = tops.at(session_id_);
  if (is_subscribed_ && top == json::array({epoch_, sequence_})) return "";
  return who_ + " " + session_id_ + ": " + (is_subscribed_ ? "" : "not subscribed, ") + "at " +
         std::to_string(sequence_) + " of " + top.dump();
}

void CrowdClient::End() { history_.End(); }

}  // namespace sessioncast::chaos
