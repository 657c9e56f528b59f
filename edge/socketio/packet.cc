#include "edge/socketio/packet.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "edge/socketio/json_text.h"

namespace sessioncast::socketio {
namespace {

// What a JavaScript number counts without loss.
constexpr uint64_t kAckIdMax = (uint64_t{1} << 53) - 1;
constexpr size_t kAckIdDigitsMax = 32;
constexpr std::string_view kPlaceholder = "_placeholder";
constexpr std::array<std::string_view, 6> kReservedEvents = {
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"};

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Counts how deep JSON nests as it is read, and gives up beyond a limit.
class DepthCheck : public nlohmann::json_sax<Json> {
 public:
  explicit DepthCheck(size_t depth_max) : depth_max_(depth_max) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(size_t) override { return Descend(); }
  bool end_object() override { return --depth_, true; }
  bool start_array(size_t) override { return Descend(); }
  bool end_array() override { return --depth_, true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }
  bool is_too_deep() const { return depth_ > depth_max_; }

 private:
  bool Descend() { return ++depth_, !is_too_deep(); }

  const size_t depth_max_;
  size_t depth_ = 0;
};

bool IsBinaryType(PacketType type) {
  return type == PacketType::kBinaryEvent || type == PacketType::kBinaryAck;
}

// Reads `[1-9][0-9]*-` from the front.
bool ReadAttachmentCount(std::string_view& text, size_t attachments_max, size_t& count) {
  if (text.empty() || text.front() == '0') return false;
  count = 0;
  while (!text.empty() && IsDigit(text.front())) {
    count = count * 10 + (text.front() - '0');
    if (count > attachments_max) return false;
    text.remove_prefix(1);
  }
  if (count == 0 || text.empty() || text.front() != '-') return false;
  text.remove_prefix(1);
  return true;
}

void ReadNamespace(std::string_view& text, std::string& name_space) {
  if (text.empty() || text.front() != '/') return;
  const size_t comma = text.find(',');
  name_space = text.substr(0, comma);
  text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
}

bool ReadAckId(std::string_view& text, std::optional<uint64_t>& ack_id) {
  if (text.empty() || !IsDigit(text.front())) return true;
  uint64_t id = 0;
  for (size_t digits = 0; !text.empty() && IsDigit(text.front()); ++digits) {
    id = id * 10 + (text.front() - '0');
    if (id > kAckIdMax || digits == kAckIdDigitsMax) return false;
    text.remove_prefix(1);
  }
  ack_id = id;
  return true;
}

bool IsEventName(const Json& name) {
  if (name.is_number()) return true;
  if (!name.is_string()) return false;
  const auto& text = name.get_ref<const std::string&>();
  return std::find(kReservedEvents.begin(), kReservedEvents.end(), text) == kReservedEvents.end();
}

bool IsPayloadOf(PacketType type, const std::optional<Json>& payload) {
  switch (type) {
    case PacketType::kConnect:
      return !payload || payload->is_object();
    case PacketType::kDisconnect:
      return !payload;
    case PacketType::kEvent:
    case PacketType::kBinaryEvent:
      return payload && payload->is_array() && !payload->empty() && IsEventName(payload->front());
    case PacketType::kAck:
    case PacketType::kBinaryAck:
      return payload && payload->is_array();
    case PacketType::kConnectError:
      return false;  // a server's
  }
  return false;
}

bool IsPlaceholder(const Json& value) {
  if (!value.is_object()) return false;
  const auto mark = value.find(kPlaceholder);
  return mark != value.end() && mark->is_boolean() && mark->get<bool>();
}

// Each place gets a copy, so it is what is placed that has a limit: a thousand placeholders may
// name one attachment.
class Filler {
 public:
  Filler(const std::vector<std::string>& attachments, size_t bytes_max)
      : attachments_(attachments), bytes_left_(bytes_max) {}

  absl::Status Fill(Json& value) {
    if (IsPlaceholder(value)) return FillPlaceholder(value);
    if (!value.is_structured()) return absl::OkStatus();
    for (Json& element : value) {
      if (absl::Status status = Fill(element); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status FillPlaceholder(Json& value) {
    const auto number = value.find("num");
    if (number == value.end() || !number->is_number_unsigned() ||
        number->get<uint64_t>() >= attachments_.size()) {
      return Bad("illegal attachments");
    }
    const std::string& bytes = attachments_[number->get<uint64_t>()];
    if (bytes.size() > bytes_left_) return Bad("attachments too large");
    bytes_left_ -= bytes.size();
    value = Json::binary(Json::binary_t::container_type(bytes.begin(), bytes.end()));
    return absl::OkStatus();
  }

  const std::vector<std::string>& attachments_;
  size_t bytes_left_;
};

bool HasBinary(const Json& value) {
  if (value.is_binary()) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), HasBinary);
}

// The value with placeholders for its binaries, which are added to `attachments`.
Json TakeBinaries(const Json& value, std::vector<std::string>& attachments) {
  if (value.is_binary()) {
    const Json::binary_t& bytes = value.get_binary();
    attachments.emplace_back(bytes.begin(), bytes.end());
    return {{kPlaceholder, true}, {"num", attachments.size() - 1}};
  }
  if (!value.is_structured()) return value;
  // Filled, not copied and changed: a level's copy would have all the levels below it.
  Json taken(value.type());
  if (value.is_array()) {
    for (const Json& element : value) taken.push_back(TakeBinaries(element, attachments));
  } else {
    for (const auto& [key, element] : value.items()) {
      taken.emplace(key, TakeBinaries(element, attachments));
    }
  }
  return taken;
}

std::string WriteHead(PacketType type, size_t attachments, const Destination& to) {
  std::string head(1, static_cast<char>(type));
  if (attachments > 0) absl::StrAppend(&head, attachments, "-");
  if (to.name_space != "/") head.append(to.name_space).append(",");
  if (to.ack_id) absl::StrAppend(&head, *to.ack_id);
  return head;
}

struct Types {
  PacketType plain;
  PacketType binary;
};

// `first`: what stands before the arguments in the payload's array; may be empty.
WrittenPacket Write(Types types, const Destination& to, std::string first, const Json& arguments) {
  WrittenPacket packet;
  std::string payload = "[" + std::move(first);
  const auto append = [&](const Json& argument) {
    if (payload.size() > 1) payload.push_back(',');
    payload +=
        HasBinary(argument) ? JsonText(TakeBinaries(argument, packet.attachments)) : JsonText(argument);
  };
  if (arguments.is_array()) {
    for (const Json& argument : arguments) append(argument);
  } else {
    append(arguments);
  }
  payload.push_back(']');
  const size_t attachments = packet.attachments.size();
  packet.text = WriteHead(attachments > 0 ? types.binary : types.plain, attachments, to) + payload;
  return packet;
}

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text, size_t depth_max) {
  // The library ends at a NUL, whatever is behind it, and passes over a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.substr(0, 1) == "\xEF") {
    return Bad("is not JSON");
  }
  DepthCheck check(depth_max);
  if (!Json::sax_parse(text, &check)) {
    if (check.is_too_deep()) return Bad(absl::StrCat("nested more than ", depth_max, " deep"));
    return Bad("is not JSON");
  }
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return Bad("is not JSON");
  return value;
}

absl::StatusOr<Packet> ReadPacket(std::string_view text, const PacketLimits& limits) {
  if (text.empty() || text.front() < '0' || text.front() > '6') return Bad("unknown packet type");
  Packet packet;
  packet.type = static_cast<PacketType>(text.front());
  text.remove_prefix(1);
  if (IsBinaryType(packet.type) &&
      !ReadAttachmentCount(text, limits.attachments_max, packet.attachments)) {
    return Bad("illegal attachments");
  }
  ReadNamespace(text, packet.name_space);
  if (!ReadAckId(text, packet.ack_id)) return Bad("ack id too large");
  if (!text.empty()) {
    absl::StatusOr<Json> payload = ParseJson(text, limits.json_depth_max);
    if (!payload.ok()) return payload.status();
    packet.payload = *std::move(payload);
  }
  if (!IsPayloadOf(packet.type, packet.payload)) return Bad("invalid payload");
  return packet;
}

absl::Status FillAttachments(const std::vector<std::string>& attachments,
                             const PacketLimits& limits, Json& payload) {
  return Filler(attachments, limits.attachments_bytes_max).Fill(payload);
}

WrittenPacket WriteEvent(const Destination& to, std::string_view name, const Json& arguments) {
  return Write({PacketType::kEvent, PacketType::kBinaryEvent}, to, WriteString(name), arguments);
}

WrittenPacket WriteAck(const Destination& to, const Json& arguments) {
  return Write({PacketType::kAck, PacketType::kBinaryAck}, to, "", arguments);
}

std::string WriteString(std::string_view text) {
  std::string written;
  AppendQuoted(text, written);
  return written;
}

std::string WritePlain(PacketType type, std::string_view name_space, const Json* payload) {
  std::string text = WriteHead(type, 0, {name_space, std::nullopt});
  if (payload != nullptr) text += JsonText(*payload);
  return text;
}

}  // namespace sessioncast::socketio
