#include "control/handling.h"

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"

namespace sessioncast::control {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct TrueFieldHandling {
  const FieldDescriptor* field;
  v1::Handling handling;
};

struct KindHandling {
  const FieldDescriptor* member = nullptr;  // of Event.kind
  v1::Handling handling;
  const FieldDescriptor* status = nullptr;
  std::map<int, v1::Handling> of_status;
  std::vector<TrueFieldHandling> if_true;
  std::vector<const FieldDescriptor*> key;
};

void ReadField(const FieldDescriptor& field, KindHandling& kind) {
  if (field.options().GetExtension(v1::key)) kind.key.push_back(&field);
  if (field.options().HasExtension(v1::handling_if_true)) {
    kind.if_true.push_back({&field, field.options().GetExtension(v1::handling_if_true)});
  }
  if (field.name() != "status" || field.enum_type() == nullptr) return;
  kind.status = &field;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const EnumValueDescriptor& value = *field.enum_type()->value(i);
    if (!value.options().HasExtension(v1::handling_of_status)) continue;
    kind.of_status[value.number()] = value.options().GetExtension(v1::handling_of_status);
  }
}

using HandlingTable = std::map<int, KindHandling>;

HandlingTable ReadTable() {
  HandlingTable table;
  const auto* kinds = v1::Event::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    const FieldDescriptor& member = *kinds->field(i);
    KindHandling& kind = table[member.number()];
    kind.member = &member;
    kind.handling = member.options().GetExtension(v1::handling);
    for (int j = 0; j < member.message_type()->field_count(); ++j) {
      ReadField(*member.message_type()->field(j), kind);
    }
  }
  return table;
}

// A constant, made from the descriptors when it is first asked for.
const HandlingTable& Table() {
  static const HandlingTable table = ReadTable();
  return table;
}

const KindHandling* Find(const v1::Event& event) {
  const auto found = Table().find(event.kind_case());
  return found == Table().end() ? nullptr : &found->second;
}

const Message& KindOf(const v1::Event& event, const KindHandling& kind) {
  return event.GetReflection()->GetMessage(event, kind.member);
}

void Override(const v1::Handling& by, EventHandling& handling) {
  if (by.delivery() != v1::DELIVERY_UNSPECIFIED) handling.delivery = by.delivery();
  if (by.fold() != v1::FOLD_UNSPECIFIED) handling.fold = by.fold();
}

}  // namespace

EventHandling HandlingOf(const v1::Event& event) {
  EventHandling handling;
  const KindHandling* kind = Find(event);
  if (kind == nullptr) return handling;
  Override(kind->handling, handling);
  const Message& message = KindOf(event, *kind);
  const Reflection& reflection = *message.GetReflection();
  if (kind->status != nullptr) {
    const auto found = kind->of_status.find(reflection.GetEnumValue(message, kind->status));
    if (found != kind->of_status.end()) Override(found->second, handling);
  }
  for (const TrueFieldHandling& if_true : kind->if_true) {
    if (reflection.GetBool(message, if_true.field)) Override(if_true.handling, handling);
  }
  return handling;
}

std::string KeyOf(const v1::Event& event) {
  std::string key = absl::StrCat(static_cast<int>(event.kind_case()));
  const KindHandling* kind = Find(event);
  if (kind == nullptr) return key;
  const Message& message = KindOf(event, *kind);
  for (const FieldDescriptor* field : kind->key) {
    std::string scratch;
    const std::string& value =
        message.GetReflection()->GetStringReference(message, field, &scratch);
    absl::StrAppend(&key, "|", value.size(), ":", value);
  }
  return key;
}

}  // namespace sessioncast::control
