#include "edge/engineio/origin_policy.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sessioncast::engineio {
namespace {

constexpr std::string_view kAny = "*";

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()),
                                absl::string_view(b.data(), b.size()));
}

bool IsListed(const OriginPolicy& policy, std::string_view origin) {
  return std::any_of(policy.origins.begin(), policy.origins.end(),
                     [origin](const std::string& listed) {
                       return listed == kAny || EqualsIgnoringCase(listed, origin);
                     });
}

bool ListsAny(const OriginPolicy& policy) {
  return std::find(policy.origins.begin(), policy.origins.end(), kAny) != policy.origins.end();
}

// "host:port" of "scheme://host:port"; empty if the origin has no such form.
std::string_view Authority(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.substr(0, scheme.size()) == scheme) return origin.substr(scheme.size());
  }
  return {};
}

// The authority without its port; colons inside brackets are an IPv6 address's.
std::string_view HostOf(std::string_view authority) {
  const bool is_bracketed = !authority.empty() && authority.front() == '[';
  return authority.substr(0, authority.find(':', is_bracketed ? authority.find(']') : 0));
}

bool IsLoopback(std::string_view host) {
  if (EqualsIgnoringCase(host, "localhost") || host == "[::1]") return true;
  // Four numbers, else it could be the name 127.0.0.1.attacker.example.
  return host.substr(0, 4) == "127." && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

OriginVerdict JudgeOrigin(const OriginPolicy& policy, const HttpFields& headers) {
  const auto is_origin = [](const auto& field) {
    return EqualsIgnoringCase(field.first, "Origin");
  };
  const auto count = std::count_if(headers.begin(), headers.end(), is_origin);
  if (count == 0) return OriginVerdict::kAllowed;
  const std::string_view origin = FindField(headers, "Origin");
  const bool is_plain = std::all_of(origin.begin(), origin.end(),
                                    [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7F); });
  if (!is_plain) return OriginVerdict::kMalformed;
  if (count > 1) return OriginVerdict::kForbidden;
  if (IsListed(policy, origin)) return OriginVerdict::kAllowed;
  if (policy.standard == OriginPolicy::Default::kListOnly) return OriginVerdict::kForbidden;
  const std::string_view authority = Authority(origin);
  if (authority.empty()) return OriginVerdict::kForbidden;
  const bool is_own = EqualsIgnoringCase(authority, FindField(headers, "Host"));
  return is_own || IsLoopback(HostOf(authority)) ? OriginVerdict::kAllowed
                                                 : OriginVerdict::kForbidden;
}

HttpFields CorsFields(const OriginPolicy& policy, const HttpFields& headers) {
  const std::string_view origin = FindField(headers, "Origin");
  if (origin.empty()) return {};
  // Any origin is allowed, but none with its user's credentials.
  if (ListsAny(policy)) return {{"Access-Control-Allow-Origin", "*"}};
  return {{"Access-Control-Allow-Origin", std::string(origin)},
          {"Access-Control-Allow-Credentials", "true"},
          {"Vary", "Origin"}};
}

HttpFields PreflightFields(const HttpFields& headers) {
  HttpFields fields = {{"Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE"}};
  const std::string_view wanted = FindField(headers, "Access-Control-Request-Headers");
  if (!wanted.empty()) {
    fields.emplace_back("Access-Control-Allow-Headers", wanted);
    fields.emplace_back("Vary", "Access-Control-Request-Headers");
  }
  return fields;
}

}  // namespace sessioncast::engineio
