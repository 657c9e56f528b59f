// Checks of the fields of one message: the first that fails is kept, and names the field and the
// limit.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/struct.pb.h"

namespace sessioncast::control {

class Checker {
 public:
  // `message` is the name before each field's: "progress".
  explicit Checker(std::string_view message) : message_(message) {}

  void That(bool holds, std::string_view field, std::string_view otherwise) {
    if (!holds) Fail(field, otherwise);
  }
  // For what is wrong in words that have to be made: only when it is.
  void Fail(std::string_view field, std::string_view why);
  // An enum value that is set and known.
  template <bool (*IsValid)(int)>
  void Enum(std::string_view field, int value) {
    That(value != 0 && IsValid(value), field, "must be set, to a value of its enum");
  }
  void Id(std::string_view field, std::string_view id);
  // UTF-8 of at most this many bytes.
  void Text(std::string_view field, std::string_view text, size_t bytes_max);
  // The same, and not empty.
  void RequiredText(std::string_view field, std::string_view text, size_t bytes_max);
  void Count(std::string_view field, uint32_t count);
  // A payload object: its depth, keys, numbers and strings. The field that is named is the path of
  // keys to what is wrong.
  void Object(std::string_view field, const google::protobuf::Struct& object);

  const absl::Status& status() const { return status_; }

 private:
  // A place in a payload: the field, or a key and where its object is.
  struct Place {
    const Place* parent;
    std::string_view name;
  };

  void ObjectAt(const Place& place, const google::protobuf::Struct& object, int depth);
  void ValueAt(const Place& place, const google::protobuf::Value& value, int depth);
  void That(bool holds, const Place& place, std::string_view otherwise) {
    if (!holds) Fail(PathOf(place), otherwise);
  }
  static std::string PathOf(const Place& place);

  std::string_view message_;
  absl::Status status_;
};

}  // namespace sessioncast::control
