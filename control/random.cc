#include "control/random.h"

#include <sys/random.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sessioncast::control {
namespace {

template <size_t kBytes>
std::array<uint8_t, kBytes> RandomBytes() {
  std::array<uint8_t, kBytes> bytes;
  const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
  assert(got == static_cast<ssize_t>(kBytes));  // up to 256 bytes come whole
  static_cast<void>(got);
  return bytes;
}

}  // namespace

std::string FreshEpoch() {
  const std::array<uint8_t, 6> bytes = RandomBytes<6>();
  return absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string FreshUuid() {
  std::array<uint8_t, 16> bytes = RandomBytes<16>();
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string uuid;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    absl::StrAppend(&uuid, absl::Hex(bytes[i], absl::kZeroPad2));
  }
  return uuid;
}

}  // namespace sessioncast::control
