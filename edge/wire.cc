#include "edge/wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "edge/socketio/json_text.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/struct.pb.h"
#include "proto/rules.h"

namespace sessioncast::edge {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

void AppendString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  size_t copied = 0;
  for (size_t i = socketio::FindEscaped(text, 0); i < text.size();
       i = socketio::FindEscaped(text, i + 1)) {
    const auto byte = static_cast<unsigned char>(text[i]);
    out.append(text.substr(copied, i - copied));
    copied = i + 1;
    switch (byte) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        out.append("\\u00");
        out.push_back(kHex[byte >> 4]);
        out.push_back(kHex[byte & 15]);
    }
  }
  out.append(text.substr(copied));
  out.push_back('"');
}

// As JSON.stringify writes it: integers without a fraction, NaN and infinities as null.
void AppendNumber(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out.append("null");
    return;
  }
  std::array<char, 400> text;
  const double magnitude = std::abs(number);
  std::to_chars_result end;
  if (number == std::trunc(number) && magnitude < 9e15) {
    end = std::to_chars(text.data(), text.data() + text.size(), static_cast<int64_t>(number));
  } else if (magnitude >= 1e-6 && magnitude < 1e21) {
    end = std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  } else {
    end = std::to_chars(text.data(), text.data() + text.size(), number,
                        std::chars_format::scientific);
  }
  out.append(text.data(), end.ptr);
}

void AppendStruct(std::string& out, const Struct& object);

// Nesting is bounded by control (proto/rules.h, kStructDepthMax) and by protobuf's parser.
void AppendValue(std::string& out, const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      AppendNumber(out, value.number_value());
      break;
    case Value::kStringValue:
      AppendString(out, value.string_value());
      break;
    case Value::kBoolValue:
      out.append(value.bool_value() ? "true" : "false");
      break;
    case Value::kStructValue:
      AppendStruct(out, value.struct_value());
      break;
    case Value::kListValue: {
      out.push_back('[');
      bool first = true;
      for (const Value& item : value.list_value().values()) {
        if (!std::exchange(first, false)) out.push_back(',');
        AppendValue(out, item);
      }
      out.push_back(']');
      break;
    }
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      out.append("null");
      break;
  }
}

void AppendStruct(std::string& out, const Struct& object) {
  out.push_back('{');
  bool first = true;
  for (const auto& [key, value] : object.fields()) {
    if (!std::exchange(first, false)) out.push_back(',');
    AppendString(out, key);
    out.push_back(':');
    AppendValue(out, value);
  }
  out.push_back('}');
}

// Writes one JSON object, field by field.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  ObjectWriter& String(std::string_view name, std::string_view value) {
    AppendString(Name(name), value);
    return *this;
  }
  ObjectWriter& Number(std::string_view name, double value) {
    AppendNumber(Name(name), value);
    return *this;
  }
  ObjectWriter& Integer(std::string_view name, uint64_t value) {
    Name(name).append(std::to_string(value));
    return *this;
  }
  ObjectWriter& Truth(std::string_view name, bool value) {
    Name(name).append(value ? "true" : "false");
    return *this;
  }
  ObjectWriter& Object(std::string_view name, const Struct& value) {
    AppendStruct(Name(name), value);
    return *this;
  }
  // `json` is JSON already.
  ObjectWriter& Raw(std::string_view name, std::string_view json) {
    Name(name).append(json);
    return *this;
  }
  void End() { out_.push_back('}'); }

 private:
  std::string& Name(std::string_view name) {
    if (!std::exchange(first_, false)) out_.push_back(',');
    out_.push_back('"');
    out_.append(name);
    out_.append("\":");
    return out_;
  }
  std::string& out_;
  bool first_ = true;
};

Time ToTime(const google::protobuf::Timestamp& time) {
  // What a Time can be: the years 1685 to 2255.
  constexpr int64_t kSecondsMax = 9'000'000'000;
  const std::chrono::seconds seconds(std::clamp(time.seconds(), -kSecondsMax, kSecondsMax));
  const std::chrono::nanoseconds nanos(std::clamp(time.nanos(), 0, 999'999'999));
  return Time(std::chrono::duration_cast<Time::duration>(seconds + nanos));
}

// The word of an enum value that the proto's options give it.
template <typename Enum>
std::string Word(const google::protobuf::EnumDescriptor* descriptor, Enum value) {
  const auto* found = descriptor->FindValueByNumber(value);
  return found == nullptr ? std::string() : found->options().GetExtension(v1::browser_word);
}

void WriteProgress(ObjectWriter& payload, const v1::Progress& progress) {
  payload.String("status", Word(v1::SessionStatus_descriptor(), progress.status()));
  payload.Number("progress", progress.percent());
  std::string prompts;
  ObjectWriter(prompts)
      .Integer("total", progress.prompts().total())
      .Integer("completed", progress.prompts().completed())
      .Integer("processing", progress.prompts().processing())
      .Integer("pending", progress.prompts().pending())
      .Integer("failed", progress.prompts().failed())
      .End();
  payload.Raw("prompts", prompts);
  payload.Truth("hasClarifications", progress.has_clarifications());
  payload.Integer("clarificationCount", progress.clarification_count());
  if (progress.has_result_available()) payload.Truth("hasResult", progress.result_available());
  if (progress.has_result()) payload.Object("result", progress.result());
}

void WriteModelResult(ObjectWriter& payload, const v1::ModelResult& result) {
  payload.String("modelName", result.model_name());
  if (result.has_provider()) payload.String("provider", result.provider());
  payload.Integer("duration", result.duration_ms());
  payload.String("result", result.result());
  payload.String("status", Word(v1::ModelResultStatus_descriptor(), result.status()));
  if (result.has_error()) payload.String("error", result.error());
  if (result.has_run_id()) payload.String("runId", result.run_id());
}

// A question that ended is 'answered' for every client of the contract; `outcome` says how it
// ended.
void WriteClarification(ObjectWriter& payload, const v1::Clarification& clarification) {
  payload.String("clarificationId", clarification.clarification_id());
  payload.String("question", clarification.question());
  if (clarification.status() == v1::CLARIFICATION_STATUS_PENDING) {
    payload.String("status", "pending");
    return;
  }
  payload.String("status", "answered");
  payload.String("outcome", Word(v1::ClarificationStatus_descriptor(), clarification.status()));
  if (clarification.has_response()) payload.String("response", clarification.response());
}

std::string_view WriteKind(ObjectWriter& payload, const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      WriteProgress(payload, event.progress());
      return "progress";
    case v1::Event::kModelResult:
      WriteModelResult(payload, event.model_result());
      return "model_result";
    case v1::Event::kClarification:
      WriteClarification(payload, event.clarification());
      return "clarification";
    case v1::Event::kCompleted:
      payload.Object("result", event.completed().result());
      return "completed";
    case v1::Event::kError:
      payload.String("error", event.error().message());
      if (event.error().final()) payload.Truth("final", true);
      return "error";
    case v1::Event::kCustom:
      payload.Object("data", event.custom().data());
      return event.custom().name();
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return {};
}

std::string PlacePayload(std::string_view session_id, const Position& from, Time now) {
  std::string out;
  ObjectWriter(out)
      .String("sessionId", session_id)
      .String("timestamp", Timestamp(now))
      .Integer("sequence", from.sequence)
      .String("epoch", from.epoch)
      .End();
  return out;
}

}  // namespace

absl::StatusOr<WireEvent> ToWire(const v1::Event& event) {
  if (event.kind_case() == v1::Event::KIND_NOT_SET || event.position().sequence() == 0) {
    return absl::InvalidArgumentError("event: has no kind that this edge knows, or no position");
  }
  WireEvent wire;
  if (event.has_custom()) {
    // A name of Socket.IO's own would end the connection of each client that gets it.
    if (absl::Status status = CheckCustomName("custom.name", event.custom().name()); !status.ok()) {
      return status;
    }
  }
  wire.position = {event.position().epoch(), event.position().sequence()};
  wire.payload.reserve(256);
  ObjectWriter payload(wire.payload);
  payload.String("sessionId", event.session_id());
  wire.name = WriteKind(payload, event);
  payload.String("timestamp", Timestamp(ToTime(event.time())))
      .Integer("sequence", wire.position.sequence)
      .String("epoch", wire.position.epoch)
      .End();
  if (wire.payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("event: has ", wire.payload.size(), " bytes as JSON, at most ",
                     kPayloadBytesMax, " can be sent"));
  }
  return wire;
}

absl::StatusOr<WireEvent> ParseWire(const std::string& serialized) {
  // Its parts go all at once, and most events' need no allocation.
  alignas(8) std::array<char, 2'048> first_block;
  google::protobuf::Arena arena(first_block.data(), first_block.size());
  auto* event = google::protobuf::Arena::CreateMessage<v1::Event>(&arena);
  if (!event->ParseFromString(serialized)) {
    return absl::InvalidArgumentError("event: cannot be parsed");
  }
  return ToWire(*event);
}

socketio::EncodedEvent Encode(const WireEvent& event, uint64_t skipped, socketio::Tag tag) {
  if (skipped == 0) {
    return socketio::EncodedEvent::FromJson(event.name, event.payload, std::move(tag));
  }
  std::string payload = event.payload;
  payload.pop_back();
  payload.append(",\"skipped\":").append(std::to_string(skipped)).push_back('}');
  return socketio::EncodedEvent::FromJson(event.name, payload, std::move(tag));
}

std::string ConnectedPayload(std::string_view socket_id, Time now) {
  std::string out;
  ObjectWriter(out).String("socketId", socket_id).String("timestamp", Timestamp(now)).End();
  return out;
}

std::string SubscribedPayload(std::string_view session_id, const Position& from, Time now) {
  return PlacePayload(session_id, from, now);
}

std::string UnsubscribedPayload(std::string_view session_id, Time now) {
  std::string out;
  ObjectWriter(out).String("sessionId", session_id).String("timestamp", Timestamp(now)).End();
  return out;
}

std::string ResyncPayload(std::string_view session_id, const Position& from, Time now) {
  return PlacePayload(session_id, from, now);
}

std::string ErrorPayload(std::string_view session_id, std::string_view error, Time now) {
  std::string out;
  ObjectWriter payload(out);
  if (!session_id.empty()) payload.String("sessionId", session_id);
  payload.String("error", error).String("timestamp", Timestamp(now)).End();
  return out;
}

std::string TokenExpiringPayload(Time expiry, Time now) {
  std::string out;
  ObjectWriter(out).String("expiresAt", Timestamp(expiry)).String("timestamp", Timestamp(now)).End();
  return out;
}

std::string SnapshotJson(const v1::Snapshot& snapshot) {
  std::string progress = "null", completed = "null", error = "null";
  std::string results, clarifications;
  for (const v1::Event& event : snapshot.events()) {
    absl::StatusOr<WireEvent> wire = ToWire(event);
    if (!wire.ok()) continue;
    std::string* list = event.has_model_result()    ? &results
                        : event.has_clarification() ? &clarifications
                                                    : nullptr;
    if (list != nullptr) {
      if (!list->empty()) list->push_back(',');
      list->append(wire->payload);
    } else if (event.has_progress()) {
      progress = std::move(wire->payload);
    } else if (event.has_completed()) {
      completed = std::move(wire->payload);
    } else if (event.has_error()) {
      error = std::move(wire->payload);
    }
  }
  std::string out;
  ObjectWriter(out)
      .String("sessionId", snapshot.session_id())
      .String("epoch", snapshot.position().epoch())
      .Integer("sequence", snapshot.position().sequence())
      .String("status", Word(v1::SessionStatus_descriptor(), snapshot.status()))
      .String("createdAt", Timestamp(ToTime(snapshot.create_time())))
      .String("updatedAt", Timestamp(ToTime(snapshot.update_time())))
      .Raw("progress", progress)
      .Raw("modelResults", "[" + results + "]")
      .Raw("clarifications", "[" + clarifications + "]")
      .Raw("completed", completed)
      .Raw("error", error)
      .Integer("clarificationsLeftOut", snapshot.clarifications_left_out())
      .Integer("modelResultsLeftOut", snapshot.model_results_left_out())
      .End();
  return out;
}

std::string SessionListJson(const std::vector<v1::SessionSummary>& sessions,
                            std::string_view next_page_token) {
  std::string list;
  for (const v1::SessionSummary& session : sessions) {
    if (!list.empty()) list.push_back(',');
    ObjectWriter(list)
        .String("sessionId", session.session_id())
        .String("status", Word(v1::SessionStatus_descriptor(), session.status()))
        .String("epoch", session.position().epoch())
        .Integer("sequence", session.position().sequence())
        .String("createdAt", Timestamp(ToTime(session.create_time())))
        .String("updatedAt", Timestamp(ToTime(session.update_time())))
        .End();
  }
  std::string out;
  ObjectWriter(out)
      .Raw("sessions", "[" + list + "]")
      .String("nextPageToken", next_page_token)
      .End();
  return out;
}

std::string Timestamp(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  std::string text = "0000-00-00T00:00:00.000Z";
  // Each event has one: not by printf.
  const auto put = [&text](size_t at, size_t digits, int64_t number) {
    for (size_t i = digits; i > 0; --i, number /= 10) {
      text[at + i - 1] = static_cast<char>('0' + number % 10);
    }
  };
  put(0, 4, static_cast<int>(date.year()));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  put(11, 2, clock.hours().count());
  put(14, 2, clock.minutes().count());
  put(17, 2, clock.seconds().count());
  put(20, 3, clock.subseconds().count());
  return text;
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendString(out, text);
  return out;
}

}  // namespace sessioncast::edge
