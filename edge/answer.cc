#include "edge/answer.h"

#include "absl/strings/str_cat.h"
#include "edge/socketio/packet.h"
#include "proto/rules.h"

namespace sessioncast::edge {
namespace {

using Json = nlohmann::json;

absl::StatusOr<std::string> StringField(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": must be a string"));
  }
  return found->get<std::string>();
}

}  // namespace

absl::StatusOr<Answer> ToAnswer(const Json& body) {
  if (!body.is_object()) {
    return absl::InvalidArgumentError(
        "body: must be an object {sessionId, clarificationId, response}");
  }
  const absl::StatusOr<std::string> session_id = StringField(body, "sessionId");
  if (!session_id.ok()) return session_id.status();
  const absl::StatusOr<std::string> clarification_id = StringField(body, "clarificationId");
  if (!clarification_id.ok()) return clarification_id.status();
  const absl::StatusOr<std::string> response = StringField(body, "response");
  if (!response.ok()) return response.status();
  if (absl::Status status = CheckId("sessionId", *session_id); !status.ok()) return status;
  if (absl::Status status = CheckId("clarificationId", *clarification_id); !status.ok()) {
    return status;
  }
  if (response->size() > kTextBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("response: must have at most ", kTextBytesMax,
                                                   " bytes, has ", response->size()));
  }
  return Answer{*session_id, *clarification_id, *response};
}

absl::StatusOr<Answer> ParseAnswer(std::string_view text, size_t depth_max) {
  const absl::StatusOr<Json> body = socketio::ParseJson(text, depth_max);
  if (!body.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("body: ", body.status().message()));
  }
  return ToAnswer(*body);
}

AnswerReply ToReply(const Answer& answer, const AnswerOutcome& outcome) {
  AnswerReply reply;
  reply.body = {{"sessionId", answer.session_id}, {"clarificationId", answer.clarification_id}};
  if (outcome.kind == AnswerOutcome::Kind::kAccepted) {
    reply.body["ok"] = true;
    return reply;
  }
  reply.body["error"] = outcome.message;
  switch (outcome.kind) {
    case AnswerOutcome::Kind::kNotFound:
      reply.http_status = 404;
      break;
    case AnswerOutcome::Kind::kInvalid:
      reply.http_status = 400;
      break;
    case AnswerOutcome::Kind::kEnded: {
      const v1::ClarificationStatus status = outcome.winner.status();
      reply.http_status = status == v1::CLARIFICATION_STATUS_ANSWERED ? 409 : 410;
      reply.body["outcome"] = status == v1::CLARIFICATION_STATUS_ANSWERED  ? "answered"
                              : status == v1::CLARIFICATION_STATUS_EXPIRED ? "expired"
                                                                           : "cancelled";
      if (outcome.winner.has_response()) reply.body["response"] = outcome.winner.response();
      break;
    }
    default:
      reply.http_status = 503;
  }
  return reply;
}

}  // namespace sessioncast::edge
