// The real sessioncast-control, killed with -9 while publishers publish: what was acknowledged is
// there after.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sessioncast/v1/session_service.grpc.pb.h"
#include "tests/control/events.h"
#include "tests/support/control_server.h"

extern char** environ;

namespace sessioncast::test {
namespace {

// One run of the program. Its log says on which port it listens.
class ControlProcess {
 public:
  ControlProcess(const std::string& directory, const std::string& listen) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::vector<std::string> arguments = {SESSIONCAST_CONTROL, "--grpc_listen=" + listen,
                                          "--store=rocksdb:" + directory};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    log_ = fdopen(ends[0], "r");
  }
  ~ControlProcess() {
    if (pid_ > 0) Kill(SIGKILL);
    fclose(log_);
  }

  // Empty: it ended without listening.
  std::string WaitForAddress() {
    const std::string marker = "listening on 127.0.0.1:";
    for (std::string line = Line(); !line.empty(); line = Line()) {
      const size_t at = line.find(marker);
      if (at != std::string::npos) {
        const size_t port = at + marker.size();
        return "127.0.0.1:" + line.substr(port, line.find('\n') - port);
      }
      said_ += line;
    }
    return "";
  }

  int Kill(int signal) {
    kill(pid_, signal);
    return Wait();
  }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }
  const std::string& said() const { return said_; }

 private:
  std::string Line() {
    char buffer[4'096];
    return fgets(buffer, sizeof(buffer), log_) == nullptr ? "" : buffer;
  }

  pid_t pid_ = 0;
  FILE* log_ = nullptr;
  std::string said_;
};

std::unique_ptr<v1::SessionService::Stub> StubFor(const std::string& address) {
  return v1::SessionService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
}

class Call : public grpc::ClientContext {
 public:
  Call() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30)); }
};

struct Acknowledged {
  std::string key;
  v1::Position position;
};

TEST(RestartTest, EverythingAcknowledgedBeforeKillIsThereAfter) {
  constexpr int kSessions = 4;
  constexpr int kBeforeKill = 400;
  TemporaryDirectory directory;
  auto process = std::make_unique<ControlProcess>(directory.path(), "localhost:0");
  const auto stub = StubFor(process->WaitForAddress());
  std::atomic<int> acknowledged{0};
  std::vector<std::vector<Acknowledged>> by_session(kSessions);
  std::vector<std::thread> publishers;
  for (int s = 0; s < kSessions; ++s) {
    publishers.emplace_back([&stub, &acknowledged, &mine = by_session[s], s] {
      for (int n = 0;; ++n) {
        const std::string key = std::to_string(n);
        Call call;
        v1::PublishEventResponse response;
        const v1::Event event = CustomEvent("s" + std::to_string(s), key);
        if (!stub->PublishEvent(&call, PublishRequest(event, key), &response).ok()) return;
        mine.push_back({key, response.position()});
        ++acknowledged;
      }
    });
  }
  while (acknowledged < kBeforeKill) std::this_thread::yield();
  process->Kill(SIGKILL);
  for (std::thread& publisher : publishers) publisher.join();

  ControlProcess restarted(directory.path(), "localhost:0");
  const auto after = StubFor(restarted.WaitForAddress());
  for (int s = 0; s < kSessions; ++s) {
    ASSERT_FALSE(by_session[s].empty());
    std::map<uint64_t, std::string> there;
    Call call;
    v1::StreamSessionRequest request;
    request.set_session_id("s" + std::to_string(s));
    const auto reader = after->StreamSession(&call, request);
    v1::StreamSessionResponse response;
    while (there.size() < by_session[s].size() && reader->Read(&response)) {
      for (const v1::Event& event : response.events()) {
        EXPECT_EQ(event.position().sequence(), there.size() + 1);
        EXPECT_EQ(event.position().epoch(), by_session[s].front().position.epoch());
        there[event.position().sequence()] =
            event.custom().data().fields().at("text").string_value();
      }
    }
    call.TryCancel();
    reader->Finish();
    for (const Acknowledged& event : by_session[s])
      EXPECT_EQ(there[event.position.sequence()], event.key);
  }
}

TEST(RestartTest, AKeyThatWasAcknowledgedIsADuplicateAfterARestart) {
  TemporaryDirectory directory;
  auto process = std::make_unique<ControlProcess>(directory.path(), "localhost:0");
  const v1::PublishEventRequest request = PublishRequest(CustomEvent("s1", "x"), "k");
  v1::PublishEventResponse first;
  {
    Call call;
    ASSERT_TRUE(StubFor(process->WaitForAddress())->PublishEvent(&call, request, &first).ok());
  }
  process->Kill(SIGKILL);
  ControlProcess restarted(directory.path(), "localhost:0");
  Call call;
  v1::PublishEventResponse second;
  ASSERT_TRUE(StubFor(restarted.WaitForAddress())->PublishEvent(&call, request, &second).ok());
  EXPECT_TRUE(second.duplicate());
  EXPECT_EQ(second.position().epoch(), first.position().epoch());
}

TEST(RestartTest, AQuestionIsStillOpenAfterARestartAndAskingAgainWaitsForItsAnswer) {
  TemporaryDirectory directory;
  auto process = std::make_unique<ControlProcess>(directory.path(), "localhost:0");
  {
    Call call;
    v1::PublishEventResponse response;
    ASSERT_TRUE(StubFor(process->WaitForAddress())
                    ->PublishEvent(&call, PublishRequest(QuestionEvent("s1", "c")), &response)
                    .ok());
  }
  process->Kill(SIGKILL);
  ControlProcess restarted(directory.path(), "localhost:0");
  const auto stub = StubFor(restarted.WaitForAddress());
  grpc::Status asked;
  v1::AskClarificationResponse response;
  std::thread asking([&stub, &asked, &response] {
    Call call;
    v1::AskClarificationRequest request;
    request.set_session_id("s1");
    request.set_clarification_id("c");
    request.set_question("Which one?");
    asked = stub->AskClarification(&call, request, &response);
  });
  Call call;
  v1::AnswerClarificationRequest answer;
  answer.set_session_id("s1");
  answer.set_clarification_id("c");
  answer.set_response("this one");
  v1::AnswerClarificationResponse answered;
  EXPECT_TRUE(stub->AnswerClarification(&call, answer, &answered).ok());
  asking.join();
  EXPECT_TRUE(asked.ok()) << asked.error_message();
  EXPECT_EQ(response.response(), "this one");
}

TEST(RestartTest, ASecondProcessOnTheDirectoryOrThePortSaysSoAndEnds) {
  TemporaryDirectory directory;
  TemporaryDirectory other;
  ControlProcess first(directory.path(), "localhost:0");
  const std::string address = first.WaitForAddress();
  ControlProcess same_directory(directory.path(), "localhost:0");
  EXPECT_EQ(same_directory.WaitForAddress(), "");
  EXPECT_NE(same_directory.said().find("in use by another process"), std::string::npos)
      << same_directory.said();
  EXPECT_EQ(WEXITSTATUS(same_directory.Wait()), 1);
  ControlProcess same_port(other.path(), "localhost" + address.substr(address.find(':')));
  EXPECT_EQ(same_port.WaitForAddress(), "");
  EXPECT_NE(same_port.said().find("Address already in use"), std::string::npos) << same_port.said();
  EXPECT_EQ(WEXITSTATUS(same_port.Wait()), 1);
}

TEST(RestartTest, ATermSignalEndsItWithZero) {
  TemporaryDirectory directory;
  ControlProcess process(directory.path(), "localhost:0");
  ASSERT_NE(process.WaitForAddress(), "");
  const int status = process.Kill(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace sessioncast::test
