#include "tools/sessioncast/print.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "tools/sessioncast/shown_text.h"

namespace sessioncast::tool {
namespace {

constexpr size_t kTextColumnsMax = 120;
constexpr size_t kNameColumnsMax = 40;

std::string WordOf(const google::protobuf::EnumDescriptor& words, int number) {
  const auto* value = words.FindValueByNumber(number);
  return value == nullptr ? "?" : value->options().GetExtension(v1::browser_word);
}

std::string Text(const std::string& text) { return ShownBegin(text, kTextColumnsMax); }
std::string Name(const std::string& name) { return ShownBegin(name, kNameColumnsMax); }

std::string KindText(const v1::Event& event) {
  switch (event.kind_case()) {
    case v1::Event::kProgress:
      return absl::StrCat("progress       ", event.progress().percent(), " %  ",
                          StatusWord(event.progress().status()));
    case v1::Event::kModelResult: {
      const v1::ModelResult& result = event.model_result();
      return absl::StrCat("model_result   ", Name(result.model_name()), "  ",
                          StatusWord(result.status()), "  ", result.duration_ms(), " ms  ",
                          Text(result.has_error() ? result.error() : result.result()));
    }
    case v1::Event::kClarification: {
      const v1::Clarification& clarification = event.clarification();
      return absl::StrCat(
          "clarification  ", Name(clarification.clarification_id()), "  ",
          StatusWord(clarification.status()), "  ", Text(clarification.question()),
          clarification.has_response() ? absl::StrCat("  → ", Text(clarification.response())) : "");
    }
    case v1::Event::kCompleted:
      return absl::StrCat("completed      ", Text(ToJson(event.completed().result())));
    case v1::Event::kError:
      return absl::StrCat("error          ", Text(event.error().message()),
                          event.error().final() ? "  (final)" : "");
    case v1::Event::kCustom:
      return absl::StrCat(Name(event.custom().name()), "  ", Text(ToJson(event.custom().data())));
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return "(a kind that this tool does not know)";
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = false;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}";
}

std::string ToLine(const v1::Event& event) {
  return absl::StrCat("#", event.position().sequence(), "  ", TimeText(event.time()).substr(11),
                      "  ", KindText(event));
}

std::string StatusWord(v1::SessionStatus status) {
  return WordOf(*v1::SessionStatus_descriptor(), status);
}
std::string StatusWord(v1::ModelResultStatus status) {
  return WordOf(*v1::ModelResultStatus_descriptor(), status);
}
std::string StatusWord(v1::ClarificationStatus status) {
  return WordOf(*v1::ClarificationStatus_descriptor(), status);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02d %02d:%02d:%02d.%03d",
                    parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                    parts.tm_min, parts.tm_sec, time.nanos() / 1'000'000);
  return std::string(text.data(), static_cast<size_t>(length));
}

}  // namespace sessioncast::tool
