#include "edge/engineio/http.h"

#include "absl/strings/match.h"

namespace sessioncast::engineio {

std::string_view FindField(const HttpFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields) {
    if (absl::EqualsIgnoreCase(absl::string_view(field.data(), field.size()),
                               absl::string_view(name.data(), name.size()))) {
      return value;
    }
  }
  return {};
}

}  // namespace sessioncast::engineio
