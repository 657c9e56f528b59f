#include "tests/chaos/crowd_frames.h"

#include <ctime>
#include <utility>

#include "tests/support/history_recorder.h"

namespace sessioncast::chaos {
namespace {

using nlohmann::json;

constexpr char kMask[4] = {0x12, 0x34, 0x56, 0x78};
constexpr size_t kPacketTypeBytes = 2;  // "42"
constexpr size_t kShortMax = 125;

std::string TextIn(const json& data, const char* field) {
  const auto object = data.find(field);
  return object == data.end() ? "" : object->value("text", "");
}

// As tests/chaos/subscribers.mjs has it.
json IdentityOf(const std::string& name, const json& data) {
  const auto word = [&data](const char* field) { return data.value(field, ""); };
  if (name == "progress") {
    return test::Identity(name, "", word("status"),
                          data["progress"].dump() + " " + TextIn(data, "result"));
  }
  if (name == "model_result") {
    return test::Identity(name, word("modelName") + "/" + word("runId"), word("status"),
                          word("result"));
  }
  if (name == "clarification") {
    return test::Identity(name, word("clarificationId"), data.value("outcome", word("status")),
                          word("question") + "|" + word("response"));
  }
  if (name == "completed") return test::Identity(name, "", "", TextIn(data, "result"));
  if (name == "error") {
    return test::Identity(name, "", data.value("final", false) ? "final" : "", word("error"));
  }
  return test::Identity("custom", name, "", TextIn(data, "data"));
}

// "2026-01-31T12:34:56.789Z", in milliseconds since 1970.
int64_t MillisecondsOf(const std::string& timestamp) {
  std::tm calendar = {};
  const char* rest = strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S", &calendar);
  if (rest == nullptr) return 0;
  const int64_t fraction = *rest == '.' ? std::stoi(std::string(rest + 1, 3)) : 0;
  return static_cast<int64_t>(timegm(&calendar)) * 1'000 + fraction;
}

}  // namespace

std::optional<ServerFrame> TakeFrame(std::string_view& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  size_t length = static_cast<uint8_t>(bytes[1]);
  const size_t length_bytes = length == 127 ? 8 : length == 126 ? 2 : 0;
  const size_t head = 2 + length_bytes;
  if (bytes.size() < head) return std::nullopt;
  if (length_bytes > 0) length = 0;
  for (size_t i = 2; i < head; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  if (bytes.size() - head < length) return std::nullopt;
  const ServerFrame frame = {static_cast<uint8_t>(bytes[0] & 0x0F), bytes.substr(head, length)};
  bytes.remove_prefix(head + length);
  return frame;
}

std::string TextFrame(std::string_view text) {
  std::string bytes(1, static_cast<char>(0x81));
  if (text.size() <= kShortMax) {
    bytes.push_back(static_cast<char>(0x80 | text.size()));
  } else {
    bytes.push_back(static_cast<char>(0x80 | 126));
    bytes.push_back(static_cast<char>(text.size() >> 8));
    bytes.push_back(static_cast<char>(text.size()));
  }
  bytes.append(kMask, sizeof(kMask));
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text[i] ^ kMask[i % sizeof(kMask)]);
  return bytes;
}

const CrowdEvent& CrowdEvents::Parse(std::string_view packet) {
  const auto [found, is_new] = parsed_.try_emplace(std::string(packet));
  CrowdEvent& event = found->second;
  if (!is_new) return event;
  const json array = json::parse(packet.substr(kPacketTypeBytes));
  event.name = array[0];
  if (array.size() < 2) return event;
  const json& data = array[1];
  event.session_id = data.value("sessionId", "");
  event.epoch = data.value("epoch", "");
  event.sequence = data.value("sequence", uint64_t{0});
  if (!data.contains("sequence")) return event;
  if (event.name != "subscribed" && event.name != "resync") {
    event.line = IdentityOf(event.name, data);
    event.line["skipped"] = data.value("skipped", 0);
    event.line["time"] = MillisecondsOf(data["timestamp"]);
  }
  event.line["session"] = event.session_id;
  event.line["epoch"] = event.epoch;
  event.line["sequence"] = event.sequence;
  return event;
}

}  // namespace sessioncast::chaos
