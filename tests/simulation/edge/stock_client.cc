#include "tests/simulation/edge/stock_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sessioncast::test {
namespace {

using Json = nlohmann::json;

constexpr size_t kBufferBytes = 20'000;  // the kernels'
constexpr size_t kShortLength = 125;  // a frame's length that its first two bytes hold
constexpr size_t kTwoByteLength = 126;
constexpr uint8_t kFinalText = 0x81;
constexpr uint8_t kOpcode = 0x0f;
constexpr uint8_t kClose = 0x8;
constexpr uint8_t kText = 0x1;

// A client's frame, with a mask of zeros.
std::string Frame(std::string_view payload) {
  std::string frame(1, static_cast<char>(kFinalText));
  if (payload.size() <= kShortLength) {
    frame.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    frame.push_back(static_cast<char>(0x80 | kTwoByteLength));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size() & 0xff));
  }
  return frame.append(4, '\0').append(payload);
}

}  // namespace

StockClient::StockClient(Scheduler& scheduler, const NaiveControl& control, Violations& violations,
                         Kind kind, uint32_t number, Trace trace)
    : scheduler_(scheduler),
      control_(control),
      violations_(violations),
      kind_(kind),
      name_(absl::StrCat("client ", number,
                         kind == Kind::kResumes    ? " (resumes)"
                         : kind == Kind::kRecovers ? " (recovers)"
                                                   : " (folds)")),
      trace_(std::move(trace)) {
  for (const std::string& session_id : control.sessions()) {
    views_.emplace(session_id, SessionView(control, session_id));
    if (scheduler.Chance(60)) wanted_.insert(session_id);
  }
}

void StockClient::Violate(const std::string& text) {
  violations_.Add(absl::StrCat(name_, ": ", text));
}

void StockClient::Expect(const std::string& session_id, const std::string& broken) {
  if (!broken.empty()) Violate(absl::StrCat("session ", session_id, ": ", broken));
}

// ---- the connection

void StockClient::Connect(SimulatedEdge& edge) {
  if (trace_) trace_(name_ + " connects");
  pipe_ = std::make_shared<engineio::Pipe>();
  const bool is_small = slow_percent_ > 0 || scheduler_.Chance(30);
  pipe_->to_client_max = is_small ? 1 + scheduler_.Pick(3'000) : kBufferBytes;
  in_.clear();
  acks_.clear();
  step_ = Step::kOpening;
  edge.Accept(pipe_, kind_ == Kind::kRecovers ? "Mozilla/5.0" : "node");
}

void StockClient::Die() {
  if (pipe_ == nullptr) return;
  if (trace_) trace_(name_ + " loses its connection");
  pipe_->client_left = true;
  pipe_ = nullptr;
}

void StockClient::TakeAll() {
  slow_percent_ = 0;
  if (pipe_ != nullptr) pipe_->to_client_max = kBufferBytes;
}

size_t StockClient::Pace() {
  return scheduler_.Chance(slow_percent_) ? 1 + scheduler_.Pick(200) : 1 + scheduler_.Pick(20'000);
}

bool StockClient::Take(size_t bytes_max) {
  if (pipe_ == nullptr) return false;
  const size_t bytes = std::min(bytes_max, pipe_->to_client.size());
  if (bytes == 0) {
    if (!pipe_->server_left) return false;
    Die();
    return true;
  }
  in_.append(pipe_->to_client, 0, bytes);
  pipe_->to_client.erase(0, bytes);
  ReadFrames();
  return true;
}

void StockClient::ReadFrames() {
  size_t begin = 0;
  while (pipe_ != nullptr && in_.size() >= begin + 2) {
    const auto byte = [&](size_t at) { return static_cast<uint8_t>(in_[begin + at]); };
    size_t header = 2;
    size_t length = byte(1);
    if (length == kTwoByteLength) {
      header = 4;
      if (in_.size() < begin + header) break;
      length = static_cast<size_t>(byte(2)) << 8 | byte(3);
    }
    if (in_.size() < begin + header + length) break;
    const std::string payload = in_.substr(begin + header, length);
    const uint8_t opcode = byte(0) & kOpcode;
    begin += header + length;
    if (opcode == kClose) return Die();
    if (opcode != kText) return Violate("a frame that is no text");
    OnPacket(payload);
  }
  in_.erase(0, begin);
}

void StockClient::Send(std::string_view packet) {
  if (trace_) trace_(absl::StrCat(name_, " > ", std::string(packet)));
  pipe_->to_server += Frame(packet);
}

void StockClient::OnPacket(std::string_view packet) {
  if (trace_) trace_(absl::StrCat(name_, " < ", std::string(packet)));
  const std::string_view rest = packet.substr(std::min<size_t>(packet.size(), 2));
  const auto parsed = [&] { return Json::parse(rest, nullptr, /*allow_exceptions=*/false); };
  if (packet.starts_with("0") && step_ == Step::kOpening) return SendConnect();
  if (packet == "2") return Send("3");
  if (packet == "1") return Die();
  if (packet.starts_with("40") && step_ == Step::kConnecting) return OnConnected(parsed());
  if (packet.starts_with("42") && step_ >= Step::kGreeted) return OnEvent(parsed());
  if (packet.starts_with("43") && step_ == Step::kConnected) return OnAck(rest);
  Violate(absl::StrCat("an unexpected packet: ", std::string(packet)));
}

void StockClient::SendConnect() {
  step_ = Step::kConnecting;
  Json auth = Json::object();
  presented_.clear();
  presented_pid_ = kind_ == Kind::kRecovers ? pid_ : "";
  if (!presented_pid_.empty()) {
    auth["pid"] = pid_;
    if (!offset_.empty()) auth["offset"] = offset_;
    for (const auto& [session_id, view] : views_) {
      if (offset_.find(absl::StrCat(";", session_id, "~")) != std::string::npos) {
        const size_t begin = offset_.find(absl::StrCat(";", session_id, "~")) + 1;
        const std::string entry = offset_.substr(begin, offset_.find(';', begin) - begin);
        presented_[session_id].kind =
            entry.back() == '*' ? edge::Place::Kind::kFold : edge::Place::Kind::kAfter;
      }
    }
  }
  Send("40" + auth.dump());
}

void StockClient::OnConnected(const Json& reply) {
  step_ = Step::kGreeted;
  const std::string pid = reply.value("pid", "");
  const bool recovered = !pid.empty() && pid == presented_pid_;
  if (kind_ != Kind::kRecovers && !pid.empty()) return Violate("a pid, and it does not recover");
  if (kind_ == Kind::kRecovers && pid.empty()) return Violate("no pid");
  if (recovered != !presented_.empty())
    return Violate(absl::StrCat(recovered ? "recovered" : "not recovered", " with the offset ", offset_));
  if (recovered && reply.value("sid", "") != sid_) return Violate("recovered with another sid");
  pid_ = pid;
  sid_ = reply.value("sid", "");
  if (recovered) ++recovered_;
  for (auto& [session_id, view] : views_) {
    const auto entry = presented_.find(session_id);
    if (recovered && entry != presented_.end()) {
      view.Recover(entry->second.kind == edge::Place::Kind::kFold);
    } else {
      view.Begin();
    }
  }
}

// ---- what the user does

void StockClient::ComeBack(const std::string& session_id) {
  const SessionView& view = views_.at(session_id);
  const bool is_wanted = wanted_.contains(session_id);
  if (view.held() && !is_wanted) return Unsubscribe(session_id);
  if (view.held() || !is_wanted) return;
  const bool resumes = kind_ == Kind::kResumes && known_.contains(session_id);
  Subscribe(session_id, resumes ? std::optional(view.at()) : std::nullopt);
}

void StockClient::Act() {
  if (pipe_ == nullptr || step_ != Step::kConnected) return;
  const auto& sessions = control_.sessions();
  const std::string& session_id = sessions[scheduler_.Pick(static_cast<uint32_t>(sessions.size()))];
  const SessionView& view = views_.at(session_id);
  const uint32_t what = scheduler_.Pick(100);
  if (what < 20) return Unsubscribe(session_id);
  if (what < 55 || kind_ == Kind::kFolds) return Subscribe(session_id, std::nullopt);
  if (what < 80 && known_.contains(session_id)) return Subscribe(session_id, view.at());
  if (what < 85) return Subscribe(session_id, edge::Position());
  edge::Position other = control_.TopOf(session_id);
  other.sequence = scheduler_.Pick(static_cast<uint32_t>(other.sequence) + 2);
  if (other.epoch.empty()) other.sequence = 0;
  Subscribe(session_id, other);
}

void StockClient::Subscribe(const std::string& session_id, std::optional<edge::Position> after) {
  wanted_.insert(session_id);
  Json argument = session_id;
  if (after.has_value()) {
    argument = {{"sessionId", session_id},
                {"after", {{"epoch", after->epoch}, {"sequence", after->sequence}}}};
  }
  const uint64_t ack_id = next_ack_id_++;
  acks_[ack_id] = session_id;
  views_.at(session_id).Sent({SessionRequest::Kind::kSubscribe, after, ack_id, true, {}});
  Send(absl::StrCat("42", ack_id, Json::array({"subscribe", argument}).dump()));
}

void StockClient::Unsubscribe(const std::string& session_id) {
  wanted_.erase(session_id);
  const uint64_t ack_id = next_ack_id_++;
  acks_[ack_id] = session_id;
  views_.at(session_id).Sent({SessionRequest::Kind::kUnsubscribe, std::nullopt, ack_id, true, {}});
  Send(absl::StrCat("42", ack_id, Json::array({"unsubscribe", session_id}).dump()));
}

// ---- what it gets

void StockClient::OnEvent(const Json& packet) {
  if (!packet.is_array() || packet.empty()) return Violate("an event that is no JSON");
  const std::string name = packet.at(0);
  const size_t arguments = kind_ == Kind::kRecovers ? 2 : 1;
  if (packet.size() != 1 + arguments)
    return Violate(absl::StrCat(name, " with ", packet.size() - 1, " arguments"));
  const Json& payload = packet[1];
  const bool is_greeting = name == "connected" && step_ == Step::kGreeted;
  if (is_greeting) {
    step_ = Step::kConnected;
  } else if (step_ != Step::kConnected) {
    return Violate(name + " before `connected`");
  } else {
    OnSessionEvent(name, payload);
  }
  if (kind_ == Kind::kRecovers) OnOffset(packet[2]);
  if (!is_greeting) return;
  for (const std::string& session_id : control_.sessions()) ComeBack(session_id);
}

void StockClient::OnSessionEvent(const std::string& name, const Json& payload) {
  const std::string session_id = payload.value("sessionId", "");
  const auto found = views_.find(session_id);
  if (found == views_.end()) return Violate(absl::StrCat(name, " ", payload.dump()));
  SessionView& view = found->second;
  const edge::Position position{payload.value("epoch", ""), payload.value("sequence", uint64_t{0})};
  if (name == "subscribed") {
    Expect(session_id, view.OnSubscribed(position));
  } else if (name == "unsubscribed") {
    Expect(session_id, view.OnUnsubscribed());
  } else if (name == "resync") {
    Expect(session_id, view.OnResync(position));
  } else if (!payload.contains("sequence")) {
    return Violate(absl::StrCat(name, " ", payload.dump()));
  } else {
    Expect(session_id, view.OnEvent(name, payload));
  }
  known_.insert(session_id);
}

void StockClient::OnOffset(const Json& offset) {
  if (!offset.is_string()) return Violate("an event without the offset");
  offset_ = offset.get<std::string>();
  Offset entries;
  std::vector<std::string> parts = absl::StrSplit(offset_, ';');
  if (parts.front() != "1") return Violate("the offset " + offset_);
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::vector<std::string> fields = absl::StrSplit(parts[i], '~');
    if (fields.size() != 3 || !views_.contains(fields[0]) || entries.contains(fields[0]))
      return Violate("the offset " + offset_);
    edge::Place& place = entries[fields[0]];
    absl::string_view sequence = fields[2];
    if (absl::ConsumeSuffix(&sequence, "*")) place.kind = edge::Place::Kind::kFold;
    if (fields[1] != "-") place.position.epoch = fields[1];
    if (!absl::SimpleAtoi(sequence, &place.position.sequence))
      return Violate("the offset " + offset_);
  }
  for (auto& [session_id, view] : views_) {
    const auto entry = entries.find(session_id);
    Expect(session_id, view.OnCursor(entry == entries.end() ? std::nullopt
                                                            : std::optional(entry->second)));
  }
}

void StockClient::OnAck(std::string_view packet) {
  const size_t digits = packet.find('[');
  uint64_t ack_id = 0;
  const bool ok = absl::SimpleAtoi(absl::string_view(packet.data(), digits), &ack_id);
  const auto asked = acks_.find(ack_id);
  if (!ok || asked == acks_.end()) return Violate("an acknowledgement that nobody awaits");
  const Json arguments = Json::parse(packet.substr(digits));
  Expect(asked->second, views_.at(asked->second).OnAck(ack_id, arguments.at(0)));
  acks_.erase(asked);
}

uint64_t StockClient::seen() const {
  uint64_t seen = 0;
  for (const auto& [session_id, view] : views_) seen += view.seen();
  return seen;
}

void StockClient::CheckAtRest() {
  if (step_ != Step::kConnected) return Violate("does not come to be connected");
  for (auto& [session_id, view] : views_) {
    if (view.held() != wanted_.contains(session_id))
      Violate(absl::StrCat("session ", session_id, view.held() ? " is" : " is not", " subscribed"));
    Expect(session_id, view.CheckAtTop());
  }
}

}  // namespace sessioncast::test
