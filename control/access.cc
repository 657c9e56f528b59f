#include "control/access.h"

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "control/random.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

constexpr char kAdmin[] = "admin";
constexpr char kPass[] = "sessioncast-in-process";
constexpr char kReflectionPrefix[] = "/grpc.reflection.";

struct Rule {
  Method method;
  std::string_view name;
  std::array<std::string_view, 3> verbs;  // "": none
};

constexpr std::array<Rule, 12> kRules = {{
    {Method::kPublishEvent, "PublishEvent", {"publish"}},
    {Method::kPublishEvents, "PublishEvents", {"publish"}},
    {Method::kAskClarification, "AskClarification", {"publish"}},
    {Method::kCancelClarification, "CancelClarification", {"publish"}},
    {Method::kGetSession, "GetSession", {"publish", "stream", "attach"}},
    {Method::kStreamSession, "StreamSession", {"stream"}},
    {Method::kListSessions, "ListSessions", {"stream", "attach"}},
    {Method::kAnswerClarification, "AnswerClarification", {"stream", "attach"}},
    {Method::kAttach, "Attach", {"attach"}},
    {Method::kReadEvents, "ReadEvents", {"attach"}},
    {Method::kGetServer, "GetServer", {"publish", "stream", "attach"}},
    {Method::kReflection, "ServerReflection", {}},
}};

const Rule& RuleOf(Method method) {
  return *std::find_if(kRules.begin(), kRules.end(),
                       [method](const Rule& rule) { return rule.method == method; });
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status NoToken(std::string_view why) { return absl::UnauthenticatedError(View(why)); }

// The one that came with the call.
absl::StatusOr<std::string_view> TokenOf(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto [first, end] = metadata.equal_range("authorization");
  if (first == end) return NoToken("there is none");
  if (std::next(first) != end) return NoToken("there are two");
  const std::optional<std::string_view> token =
      access::BearerToken({first->second.data(), first->second.size()});
  if (!token) return NoToken("it is no Bearer token");
  return *token;
}

class ShowPass : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit ShowPass(std::string pass) : pass_(std::move(pass)) {}

  // Comes before the call is made; nothing is to be intercepted.
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* rpc) override {
    rpc->client_context()->AddMetadata(kPass, pass_);
    return nullptr;
  }

 private:
  const std::string pass_;
};

class Refuse : public grpc::experimental::Interceptor {
 public:
  Refuse(Access& access, grpc::ServerContextBase& context) : access_(access), context_(context) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const absl::StatusOr<Caller> caller = access_.Check(context_, Method::kReflection);
      // It ends with this; what the service would answer goes nowhere.
      if (!caller.ok()) {
        grpc_call_cancel_with_status(context_.c_call(),
                                     static_cast<grpc_status_code>(caller.status().code()),
                                     std::string(caller.status().message()).c_str(), nullptr);
      }
    }
    methods->Proceed();
  }

 private:
  Access& access_;
  grpc::ServerContextBase& context_;
};

class RefuseReflection : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit RefuseReflection(Access& access) : access_(access) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* rpc) override {
    if (!absl::StartsWith(rpc->method(), kReflectionPrefix)) return nullptr;
    return new Refuse(access_, *rpc->server_context());
  }

 private:
  Access& access_;
};

}  // namespace

std::string_view NameOf(Method method) { return RuleOf(method).name; }

std::vector<std::string_view> VerbsOf(Method method) {
  std::vector<std::string_view> verbs;
  for (const std::string_view verb : RuleOf(method).verbs) {
    if (!verb.empty()) verbs.push_back(verb);
  }
  return verbs;
}

absl::Status Caller::MayUse(std::string_view session_id) const {
  if (!claims_.has_value() || claims_->Covers(session_id)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(View(NameOf(method_)), ": the token does not cover this session"));
}

absl::Status Caller::MayUseAllSessions() const {
  if (!claims_.has_value() ||
      std::find(claims_->sessions.begin(), claims_->sessions.end(), "*") != claims_->sessions.end())
    return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(View(NameOf(method_)), ": the token does not cover all sessions ('*')"));
}

absl::Status TokenExpired() {
  return absl::UnauthenticatedError("the token has expired; come again with another");
}

Access::Access(std::shared_ptr<const access::TokenVerifier> verifier)
    : verifier_(std::move(verifier)), pass_(FreshUuid()) {}

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> Access::PassOfThisProcess()
    const {
  return std::make_unique<ShowPass>(pass_);
}

// In the same time, whatever is shown.
bool Access::HasPass(const grpc::ServerContextBase& context) const {
  const auto shown = context.client_metadata().find(kPass);
  if (shown == context.client_metadata().end() || shown->second.size() != pass_.size())
    return false;
  int difference = 0;
  for (size_t i = 0; i < pass_.size(); ++i) difference |= shown->second.data()[i] ^ pass_[i];
  return difference == 0;
}

absl::StatusOr<Caller> Access::Check(const grpc::ServerContextBase& context, Method method) {
  if (verifier_ == nullptr || HasPass(context)) return Caller();
  const absl::StatusOr<std::string_view> token = TokenOf(context);
  absl::StatusOr<access::Claims> claims =
      token.ok() ? verifier_->Verify(*token, absl::Now()) : token.status();
  if (!claims.ok()) {
    Log(context, method, claims.status());
    return absl::UnauthenticatedError("a valid token is needed");
  }
  std::vector<std::string_view> verbs = VerbsOf(method);
  verbs.push_back(kAdmin);
  for (const std::string_view verb : verbs) {
    if (claims->May(verb)) return Caller(method, *std::move(claims));
  }
  const auto append = [](std::string* out, std::string_view verb) { out->append(verb); };
  const absl::Status status = absl::PermissionDeniedError(
      absl::StrCat(View(NameOf(method)), ": the token does not have the verb ",
                   absl::StrJoin(verbs, " or ", append)));
  Log(context, method, status);
  return status;
}

absl::StatusOr<Caller> Access::Check(const grpc::ServerContextBase& context, Method method,
                                     std::string_view session_id) {
  absl::StatusOr<Caller> caller = Check(context, method);
  if (!caller.ok()) return caller;
  if (absl::Status status = caller->MayUse(session_id); !status.ok()) {
    Log(context, method, status);
    return status;
  }
  return caller;
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Access::GuardOfReflection() {
  return std::make_unique<RefuseReflection>(*this);
}

void Access::Log(const grpc::ServerContextBase& context, Method method, const absl::Status& why) {
  const std::optional<std::string> end = gate_.Pass(daemon::LogGate::Clock::now());
  if (!end) return;
  spdlog::warn("{} of {} is refused: {}{}", NameOf(method), context.peer(),
               std::string(why.message()), *end);
}

}  // namespace sessioncast::control
