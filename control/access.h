// Who may make which call of control's, and with which sessions.
//
// With tokens, a caller needs one that has the verb of the call and covers the session that it
// names. With a client's certificate asked for (TlsOptions), one without never comes here. Without
// either everybody may do everything, as may who calls from this process.
//
// Threads: any.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tools/access/token.h"
#include "tools/daemon/log_gate.h"

namespace sessioncast::control {

enum class Method {
  kPublishEvent,
  kPublishEvents,
  kAskClarification,
  kCancelClarification,
  kGetSession,
  kStreamSession,
  kListSessions,
  kAnswerClarification,
  kAttach,
  kReadEvents,
  kGetServer,
  kReflection,
};

std::string_view NameOf(Method method);
// Any one of them suffices; beside admin, which is enough for all.
std::vector<std::string_view> VerbsOf(Method method);

// Who makes a call, which may be made.
class Caller {
 public:
  // Without a token: whoever it is.
  Caller() = default;
  Caller(Method method, access::Claims claims) : method_(method), claims_(std::move(claims)) {}

  // PERMISSION_DENIED, whether there is such a session or not.
  absl::Status MayUse(std::string_view session_id) const;
  absl::Status MayUseAllSessions() const;
  absl::Time expiry() const {
    return claims_.has_value() ? claims_->expiry : absl::InfiniteFuture();
  }

 private:
  Method method_ = Method::kGetSession;
  std::optional<access::Claims> claims_;
};

// How a call ends that lasts longer than its token.
absl::Status TokenExpired();

class Access {
 public:
  // Null: no token is asked for.
  explicit Access(std::shared_ptr<const access::TokenVerifier> verifier);

  // UNAUTHENTICATED, which says no more (the log does), or PERMISSION_DENIED, which names the verb.
  absl::StatusOr<Caller> Check(const grpc::ServerContextBase& context, Method method);
  // The same, for a call that names one session.
  absl::StatusOr<Caller> Check(const grpc::ServerContextBase& context, Method method,
                               std::string_view session_id);

  // Gives the calls of an in-process channel a pass, which nobody else can know: they need no token.
  // (Its calls have no peer by which they could be told from those of others.)
  std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> PassOfThisProcess() const;

  // Ends calls of gRPC's own reflection service that may not be made.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> GuardOfReflection();

 private:
  void Log(const grpc::ServerContextBase& context, Method method, const absl::Status& why);

  bool HasPass(const grpc::ServerContextBase& context) const;

  const std::shared_ptr<const access::TokenVerifier> verifier_;
  const std::string pass_;
  daemon::LogGate gate_;
};

}  // namespace sessioncast::control
