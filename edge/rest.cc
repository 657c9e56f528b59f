#include "edge/rest.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "edge/answer.h"
#include "edge/session_list.h"
#include "edge/wire.h"
#include "nlohmann/json.hpp"
#include "proto/rules.h"
#include "tools/daemon/version.h"

namespace sessioncast::edge {
namespace {

using engineio::HttpFields;
using engineio::HttpReply;
using engineio::HttpRequest;
using engineio::HttpResponse;
using Json = nlohmann::json;

constexpr std::string_view kSessionPath = "/api/wizard/session/";
constexpr std::string_view kListPath = "/api/wizard/sessions";
constexpr std::string_view kRespondPath = "/api/wizard/clarifications/respond";

HttpResponse JsonResponse(unsigned status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json; charset=utf-8"},
                      {"Cache-Control", "no-store"}};
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = std::move(body);
  return response;
}

// Whatever came from outside may not be UTF-8.
std::string Dump(const Json& body) {
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse Refusal(unsigned status, std::string_view error) {
  return JsonResponse(status, Dump({{"error", error}}));
}

HttpResponse MethodRefused(std::string_view allowed) {
  HttpResponse response =
      Refusal(405, "this method is not allowed here; allowed: " + std::string(allowed));
  response.headers.emplace_back("Allow", allowed);
  return response;
}

HttpResponse Unauthorized() {
  HttpResponse response = Refusal(401, kUnauthorized);
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// Of a client whose token is good, for something that it is not good for.
HttpResponse NotAllowed(const Permit& permit, const std::string& session_id, std::string_view why) {
  return Refusal(permit.Covers(session_id) ? 403 : 404, why);
}

bool IsRead(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

// Asks for control's pages one after the other until ours is made.
void ListOn(Upstream& upstream, std::shared_ptr<SessionListPage> page, HttpReply reply) {
  std::optional<v1::ListSessionsRequest> next = page->Next();
  if (!next) return reply(JsonResponse(200, page->Json()));
  upstream.ListSessions(*std::move(next), [&upstream, page, reply = std::move(reply)](
                                              absl::StatusOr<v1::ListSessionsResponse> response) {
    if (!response.ok()) return reply(Refusal(503, std::string(response.status().message())));
    page->Add(*response);
    ListOn(upstream, page, reply);
  });
}

}  // namespace

Rest::Rest(const Readiness& readiness, const std::map<std::string, WebFile>& files,
           HttpFields file_headers, const Access& access,
           std::function<Upstream&(const engineio::IoThread&)> upstream_of)
    : readiness_(readiness),
      files_(files),
      file_headers_(std::move(file_headers)),
      access_(access),
      upstream_of_(std::move(upstream_of)) {}

void Rest::Answer(engineio::IoThread& thread, const HttpRequest& request, HttpReply reply) const {
  const std::string_view path = request.path;
  const bool is_respond = path == kRespondPath;
  const bool is_list = path == kListPath;
  if (is_respond || is_list || path.starts_with(kSessionPath)) {
    if (is_respond && request.method != "POST") return reply(MethodRefused("POST"));
    if (!is_respond && !IsRead(request)) return reply(MethodRefused("GET"));
    const absl::StatusOr<Permit> permit = access_.OfRequest(request, absl::Now());
    if (!permit.ok()) return reply(Unauthorized());
    if (is_respond) return Respond(upstream_of_(thread), *permit, request.body, std::move(reply));
    if (is_list) return ListSessions(upstream_of_(thread), *permit, request.query, std::move(reply));
    return GetSession(upstream_of_(thread), *permit,
                      std::string(path.substr(kSessionPath.size())), std::move(reply));
  }
  const bool is_health = path == "/healthz" || path == "/readyz";
  const auto file = files_.find(request.path);
  if (!is_health && file == files_.end()) {
    return reply(Refusal(404, "nothing is here; the page is at /, sockets are at /socket.io/"));
  }
  if (!IsRead(request)) return reply(MethodRefused("GET"));
  if (path == "/healthz") {
    return reply(JsonResponse(200, Dump({{"ok", true}, {"version", daemon::Version()}})));
  }
  if (path == "/readyz") return reply(Ready());
  HttpResponse response;
  response.headers = file_headers_;
  response.headers.emplace_back("Content-Type", file->second.content_type);
  response.body = file->second.body;
  reply(std::move(response));
}

HttpResponse Rest::Ready() const {
  const Json body = {{"ready", readiness_.ready()},
                     {"control", readiness_.attached() ? "attached" : "away"},
                     {"draining", readiness_.draining()}};
  return JsonResponse(readiness_.ready() ? 200 : 503, Dump(body));
}

void Rest::GetSession(Upstream& upstream, const Permit& permit, const std::string& session_id,
                      HttpReply reply) const {
  if (absl::Status status = CheckId("session id", session_id); !status.ok()) {
    return reply(Refusal(400, std::string(status.message())));
  }
  if (const std::string why = WhyNotView(permit, session_id); !why.empty()) {
    return reply(NotAllowed(permit, session_id, why));
  }
  upstream.GetSession(session_id, [reply](absl::StatusOr<v1::Snapshot> snapshot) {
    if (snapshot.ok()) return reply(JsonResponse(200, SnapshotJson(*snapshot)));
    const bool unknown = snapshot.status().code() == absl::StatusCode::kNotFound;
    reply(Refusal(unknown ? 404 : 503, std::string(snapshot.status().message())));
  });
}

void Rest::ListSessions(Upstream& upstream, const Permit& permit, const HttpFields& query,
                        HttpReply reply) const {
  absl::StatusOr<ListQuery> asked = ParseListQuery(query);
  if (!asked.ok()) return reply(Refusal(400, std::string(asked.status().message())));
  if (const std::string why = WhyNotList(permit); !why.empty()) return reply(Refusal(403, why));
  ListOn(upstream,
         std::make_shared<SessionListPage>(*std::move(asked), CoveredRanges(permit.sessions())),
         std::move(reply));
}

void Rest::Respond(Upstream& upstream, const Permit& permit, const std::string& body,
                   HttpReply reply) const {
  absl::StatusOr<edge::Answer> answer = ParseAnswer(body);
  if (!answer.ok()) return reply(Refusal(400, std::string(answer.status().message())));
  if (const std::string why = WhyNotAnswer(permit, answer->session_id); !why.empty()) {
    return reply(NotAllowed(permit, answer->session_id, why));
  }
  upstream.Answer(answer->session_id, answer->clarification_id, answer->response,
                  [answer = *answer, reply](const AnswerOutcome& outcome) {
                    const AnswerReply answered = ToReply(answer, outcome);
                    reply(JsonResponse(answered.http_status, Dump(answered.body)));
                  });
}

}  // namespace sessioncast::edge
