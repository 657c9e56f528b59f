// Which web pages may use the server from a browser (CORS, and WebSocket, which CORS does not
// protect). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/engineio/http.h"

namespace sessioncast::engineio {

struct OriginPolicy {
  std::vector<std::string> origins;  // "https://app.example"; "*": any
  enum class Default { kListOnly, kOwnAndLoopback };
  Default standard = Default::kOwnAndLoopback;
};

enum class OriginVerdict {
  kAllowed,
  kMalformed,  // characters that no header may have
  kForbidden,  // not on the list, `null`, or two of them
};

// Of a request with these header fields. An absent Origin is a program, and allowed.
OriginVerdict JudgeOrigin(const OriginPolicy& policy, const HttpFields& headers);

// What a reply to an allowed request carries; empty if the request has no Origin.
HttpFields CorsFields(const OriginPolicy& policy, const HttpFields& headers);

// What the reply to an allowed preflight (OPTIONS) carries besides.
HttpFields PreflightFields(const HttpFields& headers);

}  // namespace sessioncast::engineio
