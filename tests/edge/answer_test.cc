#include "edge/answer.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/support/linear_time.h"

namespace sessioncast::edge {
namespace {

std::string ErrorOf(const std::string& body) {
  const auto answer = ParseAnswer(body);
  return answer.ok() ? "" : std::string(answer.status().message());
}

TEST(AnswerTest, AWholeBodyIsTaken) {
  const auto answer = ParseAnswer(R"({"sessionId":"s","clarificationId":"c","response":"yes"})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->session_id, "s");
  EXPECT_EQ(answer->clarification_id, "c");
  EXPECT_EQ(answer->response, "yes");
}

TEST(AnswerTest, TheErrorNamesTheField) {
  EXPECT_EQ(ErrorOf("nonsense"), "body: is not JSON");
  EXPECT_EQ(ErrorOf("[1]"), "body: must be an object {sessionId, clarificationId, response}");
  EXPECT_EQ(ErrorOf(R"({"clarificationId":"c","response":"r"})"), "sessionId: must be a string");
  EXPECT_EQ(ErrorOf(R"({"sessionId":"s","response":"r"})"), "clarificationId: must be a string");
  EXPECT_EQ(ErrorOf(R"({"sessionId":"s","clarificationId":"c","response":5})"),
            "response: must be a string");
  EXPECT_NE(
      ErrorOf(R"({"sessionId":"../x","clarificationId":"c","response":"r"})").find("sessionId"),
      std::string::npos);
  const std::string long_response(16 * 1024 + 1, 'x');
  EXPECT_NE(
      ErrorOf(R"({"sessionId":"s","clarificationId":"c","response":")" + long_response + "\"}")
          .find("16384"),
      std::string::npos);
}

TEST(AnswerTest, DeepNestingIsRefusedWithoutBuildingIt) {
  EXPECT_EQ(ErrorOf("{\"sessionId\":" + std::string(100'000, '[')),
            "body: nested more than 8 deep");
}

TEST(AnswerTest, NothingMayStandBehindTheBody) {
  const std::string body = R"({"sessionId":"s","clarificationId":"c","response":"r"})";
  EXPECT_EQ(ErrorOf(body), "");
  EXPECT_EQ(ErrorOf(body + "x"), "body: is not JSON");
  EXPECT_EQ(ErrorOf(body + std::string("\0x", 2)), "body: is not JSON");
}

TEST(AnswerTest, ABodyOfManyObjectsTakesTimeInProportion) {
  const auto make = [](size_t bytes) {
    std::string body = "[{}";
    while (body.size() < bytes) body += ",{}";
    return body + "]";
  };
  tests::ExpectLinear("objects", make, [](const std::string& body) { (void)ParseAnswer(body); });
}

TEST(AnswerTest, OutcomesHaveTheirHttpStatus) {
  const Answer answer{"s", "c", "r"};
  using Kind = AnswerOutcome::Kind;
  EXPECT_EQ(ToReply(answer, {.kind = Kind::kAccepted, .message = "", .winner = {}}).http_status,
            200U);
  EXPECT_EQ(ToReply(answer, {.kind = Kind::kNotFound, .message = "", .winner = {}}).http_status,
            404U);
  EXPECT_EQ(ToReply(answer, {.kind = Kind::kUnavailable, .message = "", .winner = {}}).http_status,
            503U);
  v1::Clarification winner;
  winner.set_status(v1::CLARIFICATION_STATUS_ANSWERED);
  winner.set_response("theirs");
  const AnswerReply taken =
      ToReply(answer, {.kind = Kind::kEnded, .message = "", .winner = winner});
  EXPECT_EQ(taken.http_status, 409U);
  EXPECT_EQ(taken.body["response"], "theirs");
  winner.set_status(v1::CLARIFICATION_STATUS_EXPIRED);
  EXPECT_EQ(ToReply(answer, {.kind = Kind::kEnded, .message = "", .winner = winner}).http_status,
            410U);
  winner.set_status(v1::CLARIFICATION_STATUS_CANCELLED);
  EXPECT_EQ(ToReply(answer, {.kind = Kind::kEnded, .message = "", .winner = winner}).http_status,
            410U);
}

}  // namespace
}  // namespace sessioncast::edge
