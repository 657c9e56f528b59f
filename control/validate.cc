#include "control/validate.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "control/utf8.h"
#include "proto/rules.h"

namespace sessioncast::control {
namespace {

constexpr size_t kKeyBytesShown = 32;
constexpr char kTooDeep[] = "at most 32 levels of nesting";
static_assert(kStructDepthMax == 32);

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void Checker::Fail(std::string_view field, std::string_view why) {
  if (!status_.ok()) return;
  const absl::string_view dot = message_.empty() ? "" : ".";
  status_ =
      absl::InvalidArgumentError(absl::StrCat(View(message_), dot, View(field), ": ", View(why)));
}

void Checker::Id(std::string_view field, std::string_view id) {
  if (!status_.ok()) return;
  status_ = CheckId(absl::StrCat(View(message_), ".", View(field)), id);
}

void Checker::Text(std::string_view field, std::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max) {
    return Fail(field, absl::StrCat("at most ", bytes_max, " bytes, has ", text.size()));
  }
  That(IsUtf8(text), field, "must be UTF-8");
}

void Checker::RequiredText(std::string_view field, std::string_view text, size_t bytes_max) {
  if (text.empty()) {
    return Fail(field, absl::StrCat("must have 1 to ", bytes_max, " bytes, is empty"));
  }
  Text(field, text, bytes_max);
}

void Checker::Count(std::string_view field, uint32_t count) {
  if (count >= (uint32_t{1} << 31)) {
    Fail(field, absl::StrCat("must be 0 to 2^31 - 1, is ", count));
  }
}

void Checker::Object(std::string_view field, const google::protobuf::Struct& object) {
  ObjectAt({nullptr, field}, object, 1);
}

// Keys are a caller's: of each a little is shown, and nothing that is not plain.
std::string Checker::PathOf(const Place& place) {
  std::string path = place.parent == nullptr ? "" : PathOf(*place.parent) + ".";
  for (const char c : place.name.substr(0, kKeyBytesShown)) {
    path.push_back(c > 0x20 && c < 0x7f ? c : '?');
  }
  if (place.name.size() > kKeyBytesShown) path.append("...");
  return path;
}

void Checker::ObjectAt(const Place& place, const google::protobuf::Struct& object, int depth) {
  if (depth > kStructDepthMax) return That(false, place, kTooDeep);
  for (const auto& [key, value] : object.fields()) {
    if (!status_.ok()) return;
    const Place below{&place, key};
    That(IsUtf8(key), below, "keys must be UTF-8");
    That(IsSafeKey(key), below, "may not be a key: JavaScript gives it a meaning");
    ValueAt(below, value, depth);
  }
}

void Checker::ValueAt(const Place& place, const google::protobuf::Value& value, int depth) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      That(std::isfinite(value.number_value()), place, "numbers must be finite");
      break;
    case google::protobuf::Value::kStringValue:
      That(IsUtf8(value.string_value()), place, "strings must be UTF-8");
      break;
    case google::protobuf::Value::kStructValue:
      ObjectAt(place, value.struct_value(), depth + 1);
      break;
    case google::protobuf::Value::kListValue:
      if (depth + 1 > kStructDepthMax) return That(false, place, kTooDeep);
      for (const google::protobuf::Value& item : value.list_value().values()) {
        if (!status_.ok()) return;
        ValueAt(place, item, depth + 1);
      }
      break;
    case google::protobuf::Value::KIND_NOT_SET:
      That(false, place, "a value has no kind");
      break;
    default:
      break;
  }
}

}  // namespace sessioncast::control
