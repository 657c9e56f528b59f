// What a client that comes back presents, and what answers a question: a cursor that is read is
// written the same again, whoever wrote it; the limits are kept; an answer is what its JSON says.
//
// An input is a cursor, and JSON: a body of an answer, and the auth of a client that comes back.
#include "edge/cursor.h"

#include "edge/answer.h"
#include "edge/recovery.h"
#include "edge/socketio/packet.h"
#include "proto/rules.h"
#include "tests/fuzz/target.h"

namespace sessioncast::fuzz {
namespace {

using edge::CursorEntry;
using Json = nlohmann::json;

void CheckCursor(std::string_view text) {
  const std::optional<std::vector<CursorEntry>> entries = edge::ReadCursor(text);
  const std::string pid = edge::FreshPid("");
  const Json auth = {{"pid", pid}, {"offset", std::string(text)}};
  const std::optional<edge::Returning> returning = edge::ReadReturning(auth, "");
  Require(returning.has_value() == (entries && !entries->empty()), "a whole cursor is taken up");
  Require(!edge::ReadReturning(auth, "another"), "nobody comes back as another");
  if (!entries) return;
  Require(entries->size() <= edge::kCursorEntriesMax && text.size() <= edge::kCursorBytesMax,
          "a cursor has limits");
  edge::Cursor cursor;
  for (const CursorEntry& entry : *entries) {
    Require(CheckId("session id", entry.session_id).ok(), "an entry is of a session");
    Require(entry.place.position.sequence <= INT64_MAX, "a sequence has a limit");
    const std::string written = edge::EntryText(entry.session_id, entry.place);
    Require(written.size() < edge::EntryBytesMax(entry.session_id), "an entry has a limit");
    cursor.Set(entry.session_id, written);
  }
  Require(cursor.Text() == text, "a cursor is written as it was read");
}

void CheckAnswer(std::string_view text) {
  const absl::StatusOr<edge::Answer> answer = edge::ParseAnswer(text);
  if (!answer.ok()) {
    const absl::string_view why = answer.status().message();
    Require(absl::IsInvalidArgument(answer.status()) && why.find(':') != why.npos,
            "a refusal names the field");
    return;
  }
  Require(CheckId("sessionId", answer->session_id).ok(), "of a session");
  Require(CheckId("clarificationId", answer->clarification_id).ok(), "of a clarification");
  Require(answer->response.size() <= kTextBytesMax, "a response has a limit");
  const Json body = {{"sessionId", answer->session_id},
                     {"clarificationId", answer->clarification_id},
                     {"response", answer->response}};
  const absl::StatusOr<edge::Answer> again = edge::ParseAnswer(body.dump());
  Require(again.ok() && again->response == answer->response, "an answer reads the same again");
  edge::AnswerOutcome ended;
  ended.kind = edge::AnswerOutcome::Kind::kEnded;
  ended.winner.set_response(answer->response);
  (void)edge::ToReply(*answer, ended).body.dump();
}

void CheckAuth(std::string_view text) {
  const absl::StatusOr<Json> auth = socketio::ParseJson(text, 8);
  if (!auth.ok() || !auth->is_object()) return;
  Require(!edge::ReadReturning(*auth, "somebody"), "a pid that was not made for them is none");
  socketio::Handshake handshake;
  handshake.auth = *auth;
  (void)edge::WantsRecovery(handshake);
}

}  // namespace

std::vector<std::string> Seeds() {
  std::string many = "1";
  for (int i = 0; i < 101; ++i) many += ";s" + std::to_string(i) + "~k3JxQ0aB~7";
  return {"",
          "1",
          "2;a~k3JxQ0aB~7",
          "1;a~k3JxQ0aB~7",
          "1;a~k3JxQ0aB~7*",
          "1;a~-~0",
          "1;a~-~0*",
          "1;a~-~1",
          "1;a~k3JxQ0aB~07",
          "1;a~k3JxQ0aB~9223372036854775807",
          "1;a~k3JxQ0aB~9223372036854775808",
          "1;a~k3JxQ0aB~7;b.c:d-e_F~AAAAAAAA~0*;c~-~0",
          "1;a~k3JxQ0aB~7;a~k3JxQ0aB~8",
          "1;__proto__~k3JxQ0aB~7",
          "1;" + std::string(129, 'a') + "~k3JxQ0aB~7",
          many,
          many.substr(0, many.rfind(';')),
          R"({"sessionId":"a","clarificationId":"b","response":"c\ud83d\ude00"})",
          R"({"sessionId":"","clarificationId":"b","response":"c"})",
          R"({"sessionId":"a","clarificationId":"__proto__","response":"c"})",
          R"({"sessionId":"a","clarificationId":"b","response":["c"]})",
          R"({"sessionId":"a","clarificationId":"b"})",
          R"(["sessionId"])",
          R"({"pid":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","offset":"1;a~k3JxQ0aB~7"})",
          R"({"recovery":true,"pid":5,"offset":{}})",
          R"({"recovery":"x"})"};
}

}  // namespace sessioncast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace sessioncast;
  const std::string_view text = fuzz::Text(bytes, size);
  fuzz::CheckCursor(text);
  fuzz::CheckAnswer(text);
  fuzz::CheckAuth(text);
  return 0;
}
