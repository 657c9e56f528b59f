#include "edge/access.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sessioncast::edge {
namespace {

using engineio::FindField;

constexpr std::string_view kQueryParameter = "token";

// Verbs of a token.
constexpr char kView[] = "view";      // subscribe, GET of a session
constexpr char kAnswer[] = "answer";  // answer a clarification
constexpr char kList[] = "list";      // which sessions there are

// The same for all sessions that a token does not cover, whether they exist or not.
constexpr char kNotCovered[] = "the token does not cover this session";

std::string WhyNot(const Permit& permit, const char* verb) {
  return permit.May(verb) ? "" : absl::StrCat("the token's verbs do not have '", verb, "'");
}

std::string WhyNot(const Permit& permit, std::string_view session_id, const char* verb) {
  return permit.Covers(session_id) ? WhyNot(permit, verb) : kNotCovered;
}

absl::Status NoToken() { return absl::UnauthenticatedError("token: there is none"); }

}  // namespace

Permit::Permit(access::Claims claims)
    : claims_(std::make_shared<const access::Claims>(std::move(claims))) {}

bool Permit::May(std::string_view verb) const { return claims_ == nullptr || claims_->May(verb); }

bool Permit::Covers(std::string_view session_id) const {
  return claims_ == nullptr || claims_->Covers(session_id);
}

const std::vector<std::string>* Permit::sessions() const {
  return claims_ == nullptr ? nullptr : &claims_->sessions;
}

absl::Time Permit::expiry() const {
  return claims_ == nullptr ? absl::InfiniteFuture() : claims_->expiry;
}

std::string Permit::identity() const {
  if (claims_ == nullptr) return {};
  // The length, so that no two pairs are one text.
  return absl::StrCat(claims_->issuer.size(), ":", claims_->issuer, claims_->subject);
}

bool MayConnect(const Permit& permit) { return permit.May(kView) || permit.May(kAnswer); }

std::string WhyNotView(const Permit& permit, std::string_view session_id) {
  return WhyNot(permit, session_id, kView);
}

std::string WhyNotAnswer(const Permit& permit, std::string_view session_id) {
  return WhyNot(permit, session_id, kAnswer);
}

std::string WhyNotList(const Permit& permit) { return WhyNot(permit, kList); }

absl::StatusOr<std::unique_ptr<Access>> Access::Load(const AccessOptions& options) {
  absl::StatusOr<std::shared_ptr<access::TokenVerifier>> verifier =
      access::LoadVerifier(options.tokens);
  if (!verifier.ok()) return verifier.status();
  return std::unique_ptr<Access>(new Access(*std::move(verifier), options.token_in_query));
}

absl::Status Access::Reload() { return asks() ? verifier_->Reload() : absl::OkStatus(); }

absl::StatusOr<Permit> Access::OfToken(std::string_view token, absl::Time now) const {
  if (!asks()) return Permit();
  absl::StatusOr<access::Claims> claims = verifier_->Verify(token, now);
  if (!claims.ok()) return claims.status();
  return Permit(*std::move(claims));
}

absl::StatusOr<Permit> Access::OfHandshake(const socketio::Handshake& handshake,
                                           absl::Time now) const {
  if (!asks()) return Permit();
  const auto token = handshake.auth.find("token");
  if (token == handshake.auth.end()) return OfFields(handshake.headers, handshake.query, now);
  if (!token->is_string()) return absl::UnauthenticatedError("token: auth.token is no string");
  return OfToken(token->get_ref<const std::string&>(), now);
}

absl::StatusOr<Permit> Access::OfRequest(const socketio::HttpRequest& request,
                                         absl::Time now) const {
  if (!asks()) return Permit();
  return OfFields(request.headers, request.query, now);
}

absl::StatusOr<Permit> Access::OfFields(const engineio::HttpFields& headers,
                                        const engineio::HttpFields& query, absl::Time now) const {
  const std::string_view authorization = FindField(headers, "Authorization");
  if (!authorization.empty()) {
    const std::optional<std::string_view> token = access::BearerToken(authorization);
    if (!token) return absl::UnauthenticatedError("token: Authorization is not Bearer");
    return OfToken(*token, now);
  }
  if (!token_in_query_) return NoToken();
  for (const auto& [name, text] : query) {
    if (name == kQueryParameter) return OfToken(text, now);
  }
  return NoToken();
}

}  // namespace sessioncast::edge
