#include "bench/load/stamp.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "absl/strings/str_format.h"

namespace sessioncast::bench {
namespace {

constexpr std::string_view kName = "stamp:";
constexpr size_t kTimeDigits = 20;
constexpr size_t kNumberDigits = 10;

template <typename Number>
bool ReadDigits(std::string_view digits, Number& number) {
  const char* const end = digits.data() + digits.size();
  const auto [read_to, error] = std::from_chars(digits.data(), end, number);
  return error == std::errc() && read_to == end;
}

}  // namespace

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t IntendedTimeNs(int64_t begin_ns, uint64_t index, uint32_t burst, double rate) {
  const uint64_t first_of_group = index / burst * burst;
  return begin_ns + static_cast<int64_t>(static_cast<double>(first_of_group) * 1e9 / rate);
}

std::string StampedText(const Stamp& stamp, size_t bytes) {
  std::string text = absl::StrFormat("%s%020d:%010d:", kName, stamp.time_ns, stamp.number);
  text.resize(std::max(bytes, text.size()), 'x');
  return text;
}

std::optional<Stamp> FindStamp(std::string_view packet) {
  const size_t at = packet.find(kName);
  if (at == packet.npos || packet.size() < at + kStampBytes) return std::nullopt;
  const std::string_view time = packet.substr(at + kName.size(), kTimeDigits);
  const std::string_view number = packet.substr(at + kName.size() + kTimeDigits + 1, kNumberDigits);
  Stamp stamp;
  if (!ReadDigits(time, stamp.time_ns) || !ReadDigits(number, stamp.number)) return std::nullopt;
  return stamp;
}

}  // namespace sessioncast::bench
