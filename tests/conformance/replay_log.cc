#include "tests/conformance/replay_log.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <random>

#include "absl/strings/escaping.h"

namespace sessioncast::conformance {
namespace {

std::string NewPid() {
  std::random_device random;
  std::array<char, 24> bytes;
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
  return absl::WebSafeBase64Escape(absl::string_view(bytes.data(), bytes.size()));
}

}  // namespace

std::string ReplayLog::Open(const std::string& socket_id) {
  std::lock_guard lock(mutex_);
  Forget();
  std::string pid = NewPid();
  Life& life = lives_[pid];
  life.socket_id = socket_id;
  life.sockets = 1;
  return pid;
}

std::optional<std::string> ReplayLog::Restore(const std::string& pid, uint64_t offset) {
  std::lock_guard lock(mutex_);
  Forget();
  const auto found = lives_.find(pid);
  if (found == lives_.end()) return std::nullopt;
  Life& life = found->second;
  const uint64_t first = life.events.empty() ? life.last + 1 : life.events.front().number;
  if (offset + 1 < first || offset > life.last) return std::nullopt;
  ++life.sockets;
  return life.socket_id;
}

void ReplayLog::Leave(const std::string& pid) {
  std::lock_guard lock(mutex_);
  const auto found = lives_.find(pid);
  if (found == lives_.end() || --found->second.sockets > 0) return;
  found->second.left = Clock::now();
}

uint64_t ReplayLog::Append(const std::string& pid, std::string_view name,
                           const socketio::Json& arguments) {
  std::lock_guard lock(mutex_);
  Life& life = lives_[pid];
  life.events.push_back({++life.last, std::string(name), arguments});
  if (life.events.size() > kEventsMax) life.events.pop_front();
  return life.last;
}

std::vector<KeptEvent> ReplayLog::After(const std::string& pid, uint64_t offset) {
  std::lock_guard lock(mutex_);
  std::vector<KeptEvent> missed;
  const auto is_behind = [offset](const KeptEvent& event) { return event.number > offset; };
  const Life& life = lives_[pid];
  std::copy_if(life.events.begin(), life.events.end(), std::back_inserter(missed), is_behind);
  return missed;
}

void ReplayLog::Forget() {
  const Clock::time_point now = Clock::now();
  std::erase_if(lives_, [now](const auto& entry) {
    return entry.second.sockets == 0 && now - entry.second.left > kKeptTime;
  });
  // Beyond the limit somebody's recovery fails, which its client survives.
  for (auto life = lives_.begin(); lives_.size() >= kPidsMax && life != lives_.end();) {
    life = life->second.sockets == 0 ? lives_.erase(life) : std::next(life);
  }
}

}  // namespace sessioncast::conformance
