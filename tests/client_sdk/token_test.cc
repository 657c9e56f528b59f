// A token that ends while calls last: those who show another one in time go on, with nothing missing
// and nothing twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "sessioncast/publisher.h"
#include "sessioncast/session_stream.h"
#include "tests/client_sdk/faulty_control.h"
#include "tests/control/events.h"
#include "tools/access/token.h"

namespace sessioncast::test {
namespace {

// Of a token; its end is in whole seconds, so it is 5 at least.
constexpr absl::Duration kLife = absl::Seconds(6);
// So that whoever looks at the file once in 2 s never has one that has ended.
constexpr absl::Duration kRefresh = absl::Milliseconds(500);
// More than two lives.
constexpr absl::Duration kPublishFor = absl::Seconds(13);

void Write(const std::string& file, const std::string& text) {
  {
    std::ofstream out(file + ".new", std::ios::binary);
    out << text;
  }
  ASSERT_EQ(std::rename((file + ".new").c_str(), file.c_str()), 0);
}

// A file with a token, written anew again and again if it is refreshed.
class TokenFile {
 public:
  ~TokenFile() {
    if (!thread_.joinable()) return;
    done_.Notify();
    thread_.join();
  }

  const std::string& file() const { return file_; }
  std::shared_ptr<const access::TokenVerifier> Verifier() const {
    Write(key_.file, "0123456789abcdef0123456789abcdef");
    return *access::TokenVerifier::Load({.keys = {key_}});
  }

  void Renew() const {
    const absl::Time now = absl::Now();
    access::TokenToSign token;
    token.claims.sessions = {"*"};
    token.claims.verbs = {"publish", "stream"};
    token.claims.expiry = now + kLife;
    token.issued = now;
    Write(file_, *access::SignToken(key_, token));
  }
  void KeepRenewing() {
    thread_ = std::thread([this] {
      while (!done_.WaitForNotificationWithTimeout(kRefresh)) Renew();
    });
  }

 private:
  const std::string directory_ =
      absl::StrCat(testing::TempDir(), "/sessioncast_token_", getpid(), "_",
                   testing::UnitTest::GetInstance()->current_test_info()->name());
  const access::KeyFile key_{"k", access::Algorithm::kHs256, directory_ + "_secret"};
  const std::string file_ = directory_ + "_token";
  absl::Notification done_;
  std::thread thread_;
};

class TokenTest : public testing::Test {
 protected:
  TokenTest() { token_.Renew(); }

  PublisherOptions ForPublisher() const {
    PublisherOptions options;
    options.control = control_.address();
    options.credentials.token_file = token_.file();
    return options;
  }
  SessionStreamOptions ForReader() const {
    SessionStreamOptions options;
    options.control = control_.address();
    options.credentials.token_file = token_.file();
    return options;
  }
  // One behind the other; how many, or the error.
  static absl::StatusOr<uint64_t> PublishFor(Publisher& publisher, absl::Duration duration) {
    uint64_t published = 0;
    const absl::Time end = absl::Now() + duration;
    while (absl::Now() < end) {
      publisher.PublishSoon(CustomEvent("s", "x"), [&](const Publisher::Outcome& outcome) {
        if (!outcome.ok()) return;  // Flush has it
        EXPECT_EQ(outcome->position().sequence(), ++published);
      });
      if (const absl::Status status = publisher.Flush(); !status.ok()) return status;
    }
    return published;
  }
  // The sequences until the session has ended.
  static absl::StatusOr<std::vector<uint64_t>> ReadAll(SessionStream& stream) {
    std::vector<uint64_t> sequences;
    while (true) {
      const auto next = stream.Next();
      if (!next.ok()) return next.status();
      if (!*next) return sequences;
      sequences.push_back(std::get<v1::Event>(**next).position().sequence());
    }
  }
  static v1::AskClarificationRequest Question() {
    v1::AskClarificationRequest request;
    request.set_session_id("asked");
    request.set_clarification_id("q");
    request.set_question("Which?");
    return request;
  }

  TokenFile token_;
  FaultyControl control_{{}, token_.Verifier()};
};

TEST_F(TokenTest, CallsOutlastTokensThatAreReplacedInTime) {
  token_.KeepRenewing();
  Publisher publisher(ForPublisher());
  SessionStream stream("s", ForReader());
  // Its call brings nothing before its token has ended.
  SessionStream silent("silent", ForReader());
  absl::StatusOr<std::vector<uint64_t>> read, read_late;
  absl::StatusOr<v1::AskClarificationResponse> asked;
  std::thread reading([&] { read = ReadAll(stream); });
  std::thread waiting([&] { read_late = ReadAll(silent); });
  std::thread asking([&] { asked = publisher.AskClarification(Question()); });
  const absl::StatusOr<uint64_t> published = PublishFor(publisher, kPublishFor);
  EXPECT_TRUE(published.ok()) << published.status();
  EXPECT_TRUE(publisher.Publish(CompletedEvent("s")).ok());
  EXPECT_TRUE(publisher.Publish(CompletedEvent("silent")).ok());
  const absl::Status answered = publisher.AnswerClarification("asked", "q", "this");
  EXPECT_TRUE(answered.ok()) << answered;
  reading.join();
  waiting.join();
  asking.join();
  ASSERT_TRUE(published.ok() && read.ok()) << read.status();
  std::vector<uint64_t> expected(*published + 1);
  std::iota(expected.begin(), expected.end(), 1);
  EXPECT_EQ(*read, expected);
  ASSERT_TRUE(read_late.ok()) << read_late.status();
  EXPECT_THAT(*read_late, testing::ElementsAre(1));
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->response(), "this");
}

TEST_F(TokenTest, CallsEndWithATokenThatNobodyReplaces) {
  Publisher publisher(ForPublisher());
  SessionStream stream("silent", ForReader());
  absl::StatusOr<v1::AskClarificationResponse> asked;
  std::thread asking([&] { asked = publisher.AskClarification(Question()); });
  EXPECT_EQ(stream.Next().status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(PublishFor(publisher, absl::Seconds(60)).status().code(),
            absl::StatusCode::kUnauthenticated);
  asking.join();
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace sessioncast::test
