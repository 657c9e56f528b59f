// The participants of a chaos run that speak gRPC: publishers and readers of streams, or the final
// reader.
//
// Configured by one line of JSON on stdin, then told {"stop": true} (publishers settle and end),
// {"close": {"complete": [...], "mark": [...]}} and {"end": true}, a line each. Says how far it is,
// a line of JSON every 200 ms.
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/chaos/publisher.h"
#include "tests/chaos/reader.h"

namespace sessioncast::chaos {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kStatusEvery{200};

PublisherOptions OptionsOf(const json& config, const json& publisher) {
  PublisherOptions options;
  options.directory = config["directory"];
  options.control = config["control"];
  options.who = publisher["who"];
  options.seed = publisher["seed"];
  options.sessions = publisher["sessions"].get<std::vector<std::string>>();
  options.ends_after = publisher["ends_after"].get<std::map<std::string, int>>();
  if (publisher["way"] == "stream") options.way = PublisherOptions::Way::kStream;
  options.pause_max = std::chrono::milliseconds(publisher["pause_ms"].get<int>());
  return options;
}

class Participants {
 public:
  explicit Participants(const json& config) {
    for (const json& publisher : config["publishers"]) {
      publishers_.push_back(std::make_unique<Publisher>(OptionsOf(config, publisher)));
    }
    closer_ = std::make_unique<Publisher>(OptionsOf(config, config["closer"]));
    for (const json& reader : config["readers"]) {
      readers_.push_back(std::make_unique<Reader>(config["directory"], reader["who"],
                                                  config["control"], reader["session"]));
    }
    for (const auto& publisher : publishers_) {
      publishing_.emplace_back([&publisher = *publisher] { publisher.Run(); });
    }
    for (const auto& reader : readers_) {
      reading_.emplace_back([&reader = *reader] { reader.Run(); });
    }
  }

  // Returns when told to end.
  void Serve() {
    std::thread listening([this] { Listen(); });
    std::unique_lock<std::mutex> lock(mutex_);
    while (!ended_) {
      changed_.wait_for(lock, kStatusEvery, [this] { return ended_; });
      std::cout << Status().dump() << std::endl;
    }
    lock.unlock();
    listening.join();
  }

 private:
  void Listen() {
    std::string line;
    while (std::getline(std::cin, line)) {
      const json command = json::parse(line);
      if (command.contains("stop")) StopPublishing();
      if (command.contains("close")) Close(command["close"]);
      if (command.contains("end")) break;
    }
    StopPublishing();
    for (const auto& reader : readers_) reader->Stop();
    for (std::thread& thread : reading_) thread.join();
    for (const auto& reader : readers_) reader->End();
    for (const auto& publisher : publishers_) publisher->End();
    closer_->End();
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  void StopPublishing() {
    for (const auto& publisher : publishers_) publisher->Stop();
    for (std::thread& thread : publishing_) thread.join();
    publishing_.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    phase_ = "stopped";
  }

  void Close(const json& sessions) {
    closer_->Stop();  // it, too, gives up at some time
    closer_->CloseSessions(sessions["complete"].get<std::vector<std::string>>(),
                           sessions["mark"].get<std::vector<std::string>>());
    const std::lock_guard<std::mutex> lock(mutex_);
    phase_ = "closed";
  }

  json Status() {
    uint64_t acked = 0, failed = 0, unknown = 0, delivered = 0, connects = 0;
    for (const auto& publisher : publishers_) {
      acked += publisher->counts().acked;
      failed += publisher->counts().failed;
      unknown += publisher->counts().unknown;
    }
    json positions = json::object();
    for (const auto& reader : readers_) {
      delivered += reader->delivered();
      connects += reader->connects();
      const v1::Position position = reader->position();
      positions[reader->session_id()].push_back({position.epoch(), position.sequence()});
    }
    return {{"phase", phase_},       {"acked", acked},         {"failed", failed},
            {"unknown", unknown},    {"delivered", delivered}, {"connects", connects},
            {"positions", positions}};
  }

  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::unique_ptr<Publisher> closer_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::thread> publishing_;
  std::vector<std::thread> reading_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string phase_ = "publishing";
  bool ended_ = false;
};

int Run() {
  std::string line;
  std::getline(std::cin, line);
  const json config = json::parse(line);
  if (config.contains("final")) {
    const bool all = WriteFinal(config["directory"], config["control"],
                                config["final"].get<std::vector<std::string>>());
    return all ? 0 : 1;
  }
  Participants(config).Serve();
  return 0;
}

}  // namespace
}  // namespace sessioncast::chaos

int main() {
  // Calls fail at once while a channel connects, so that nobody polls for it but gRPC itself: every
  // 5 s, if not told otherwise, while an attempt may take 2 s.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", 1);
  return sessioncast::chaos::Run();
}
