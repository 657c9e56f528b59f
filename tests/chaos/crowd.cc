// A crowd of clients of a chaos run, that come back all at once.
//
// Configured by one line of JSON on stdin: {directory, port, seed, sessions, clients}, a name a
// client. Then told {"strike": n} (`back` counts who subscribed since), {"tops": {session: [epoch,
// sequence]}} and {"end": true}, a line each. Says how far it is, a line of JSON every 200 ms.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/chaos/crowd_client.h"
#include "tools/daemon/descriptors.h"

namespace sessioncast::chaos {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStatusEvery{200};
// The first connections are spread over so long.
constexpr milliseconds kFirstConnects{4'000};
constexpr size_t kMissingShownMax = 100;
constexpr int kReadyMax = 512;

class Crowd {
 public:
  explicit Crowd(const json& config) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    setting_.directory = config["directory"];
    setting_.port = config["port"];
    setting_.random.seed(config["seed"].get<uint64_t>());
    const json& sessions = config["sessions"];
    const auto now = steady_clock::now();
    for (const json& who : config["clients"]) {
      const size_t i = clients_.size();
      const auto first = now + kFirstConnects * i / config["clients"].size();
      clients_.push_back(
          std::make_unique<CrowdClient>(setting_, who, sessions[i % sessions.size()], first));
      wakes_.push({first, i});
    }
    Watch(STDIN_FILENO, EPOLLIN, kInput);
  }
  ~Crowd() { close(epoll_); }
  Crowd(const Crowd&) = delete;

  // Returns when told to end.
  void Serve() {
    auto status_at = steady_clock::now();
    while (!is_ended_) {
      const auto now = steady_clock::now();
      if (now >= status_at) {
        std::cout << Status().dump() << std::endl;
        status_at = now + kStatusEvery;
      }
      WakeUntil(now);
      epoll_event ready[kReadyMax];
      const int count = epoll_wait(epoll_, ready, kReadyMax, kTickMs);
      for (int i = 0; i < count; ++i) TakeReady(ready[i].data.u64);
    }
    for (const auto& client : clients_) client->End();
  }

 private:
  using Wake = std::pair<CrowdClient::Time, size_t>;
  static constexpr uint64_t kInput = UINT64_MAX;
  static constexpr int kTickMs = 10;

  void Watch(int descriptor, uint32_t events, uint64_t data) {
    epoll_event event = {.events = events, .data = {.u64 = data}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void WakeUntil(CrowdClient::Time now) {
    while (!wakes_.empty() && wakes_.top().first <= now) {
      const auto [at, i] = wakes_.top();
      wakes_.pop();
      // Another time was agreed on since.
      if (clients_[i]->wake_at() != at) continue;
      Follow(i, [now](CrowdClient& client) { client.Wake(now); });
    }
  }

  void TakeReady(uint64_t which) {
    if (which == kInput) return Listen();
    Follow(which, [](CrowdClient& client) { client.OnReady(steady_clock::now()); });
  }

  // Does it, and sees to what the client waits for afterwards.
  template <typename Act>
  void Follow(size_t i, Act act) {
    CrowdClient& client = *clients_[i];
    const int descriptor = client.descriptor();
    const CrowdClient::Time wake_at = client.wake_at();
    act(client);
    if (client.descriptor() >= 0 && client.descriptor() != descriptor) {
      Watch(client.descriptor(), EPOLLIN | EPOLLOUT | EPOLLET, i);
    }
    if (client.wake_at() != wake_at && client.wake_at() != CrowdClient::Time::max()) {
      wakes_.push({client.wake_at(), i});
    }
  }

  void Listen() {
    char bytes[4096];
    const ssize_t size = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (size <= 0) is_ended_ = true;
    input_.append(bytes, std::max<ssize_t>(size, 0));
    for (size_t end; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1)) {
      Take(json::parse(input_.substr(0, end)));
    }
  }

  void Take(const json& command) {
    if (command.contains("strike")) {
      strike_ = command["strike"];
      for (const auto& client : clients_) client->BeginCount();
    }
    if (command.contains("tops")) tops_ = command["tops"];
    if (command.contains("end")) is_ended_ = true;
  }

  json Status() const {
    size_t connected = 0, back = 0;
    json missing = json::array();
    for (const auto& client : clients_) {
      connected += client->is_connected();
      back += client->is_back();
      if (tops_.is_null() || missing.size() >= kMissingShownMax) continue;
      if (std::string text = client->Missing(tops_); !text.empty()) missing.push_back(text);
    }
    json status = {{"delivered", setting_.delivered},
                   {"connects", setting_.connects},
                   {"connected", connected},
                   {"refused", setting_.refused},
                   {"strike", strike_},
                   {"back", back}};
    if (!tops_.is_null()) status["missing"] = missing;
    return status;
  }

  const int epoll_;
  CrowdSetting setting_;
  std::vector<std::unique_ptr<CrowdClient>> clients_;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_;
  std::string input_;
  json tops_;
  uint64_t strike_ = 0;
  bool is_ended_ = false;
};

int Run() {
  daemon::RaiseDescriptors();  // two a client: its connection and its history
  // Not std::cin, which would read ahead of what the loop reads.
  std::string line;
  for (char c; read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line.push_back(c);
  Crowd(json::parse(line)).Serve();
  return 0;
}

}  // namespace
}  // namespace sessioncast::chaos

int main() { return sessioncast::chaos::Run(); }
