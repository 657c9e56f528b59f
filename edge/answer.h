// A person's answer to a clarification, as REST and the socket event both take it: {sessionId,
// clarificationId, response}; and what both say of its outcome.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "edge/upstream.h"
#include "nlohmann/json.hpp"

namespace sessioncast::edge {

struct Answer {
  std::string session_id;
  std::string clarification_id;
  std::string response;
};

// InvalidArgument names the field.
absl::StatusOr<Answer> ToAnswer(const nlohmann::json& body);
// Of JSON text; nesting at most `depth_max`.
absl::StatusOr<Answer> ParseAnswer(std::string_view body, size_t depth_max = 8);

struct AnswerReply {
  unsigned http_status = 200;
  nlohmann::json body;  // {ok, sessionId, clarificationId}, or {error, ...}
};
AnswerReply ToReply(const Answer& answer, const AnswerOutcome& outcome);

}  // namespace sessioncast::edge
