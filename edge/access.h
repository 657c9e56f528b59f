// Who a client of the edge is, by the token that it shows, and what it may do (docs/PROTOCOL.md,
// "Access"). Without keys nobody is asked, and everybody may do everything.
//
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "edge/socketio/server.h"
#include "tools/access/flags.h"
#include "tools/access/token.h"

namespace sessioncast::edge {

// All that one without a good token is told.
inline constexpr char kUnauthorized[] = "unauthorized";

// What one client may do, until when. Cheap to copy; immutable.
class Permit {
 public:
  Permit() = default;  // everything, for ever
  explicit Permit(access::Claims claims);

  bool May(std::string_view verb) const;
  bool Covers(std::string_view session_id) const;
  // As in access::Claims; null: everything.
  const std::vector<std::string>* sessions() const;
  absl::Time expiry() const;
  // Who it is: issuer and subject; "" where nobody is asked.
  std::string identity() const;

 private:
  std::shared_ptr<const access::Claims> claims_;  // null: everything
};

// Whether there is anything for it to do here.
bool MayConnect(const Permit& permit);
// Why a client may not see this session, or answer its questions; "": it may.
std::string WhyNotView(const Permit& permit, std::string_view session_id);
std::string WhyNotAnswer(const Permit& permit, std::string_view session_id);
// Why it may not see which sessions there are, of those that it covers.
std::string WhyNotList(const Permit& permit);

struct AccessOptions {
  access::Options tokens;
  // A client may show its token as the parameter `token` of a URL, which proxies write into their logs.
  bool token_in_query = false;
};

class Access {
 public:
  // Nobody is asked.
  Access() = default;
  // INVALID_ARGUMENT names the file that cannot be used.
  static absl::StatusOr<std::unique_ptr<Access>> Load(const AccessOptions& options);

  // Reads the keys again; if one cannot be used, all stays as it was.
  absl::Status Reload();
  // Whether anybody is asked.
  bool asks() const { return verifier_ != nullptr; }

  // UNAUTHENTICATED: the message is for our log, not for the client.
  absl::StatusOr<Permit> OfToken(std::string_view token, absl::Time now) const;
  // The token is auth.token, or the Authorization header of the first request; or, where that is
  // allowed, in the query.
  absl::StatusOr<Permit> OfHandshake(const socketio::Handshake& handshake, absl::Time now) const;
  // The token is the Authorization header, or likewise in the query.
  absl::StatusOr<Permit> OfRequest(const socketio::HttpRequest& request, absl::Time now) const;

 private:
  Access(std::shared_ptr<access::TokenVerifier> verifier, bool token_in_query)
      : verifier_(std::move(verifier)), token_in_query_(token_in_query) {}
  absl::StatusOr<Permit> OfFields(const engineio::HttpFields& headers,
                                  const engineio::HttpFields& query, absl::Time now) const;

  const std::shared_ptr<access::TokenVerifier> verifier_;  // null: nobody is asked
  const bool token_in_query_ = false;
};

}  // namespace sessioncast::edge
