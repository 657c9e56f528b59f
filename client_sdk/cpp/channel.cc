#include "client_sdk/cpp/channel.h"

#include <chrono>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_interceptor.h"

namespace sessioncast {
namespace {

constexpr unsigned kTlsSecondsBetweenLooks = 1;
constexpr std::chrono::seconds kTokenBetweenLooks{2};

std::shared_ptr<grpc::ChannelCredentials> TlsOf(const Credentials& credentials) {
  if (credentials.ca_file.empty()) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          credentials.key_file, credentials.cert_file, credentials.ca_file,
          kTlsSecondsBetweenLooks));
  tls.watch_root_certs();
  if (!credentials.cert_file.empty()) tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(tls);
}

// gRPC asks it before each call: at once while it knows the token, else on a thread of a pool of
// gRPC's, since it reads the file.
class TokenOfFile : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenOfFile(std::string file) : file_(std::move(file)) {}

  bool IsBlocking() const override {
    const absl::MutexLock lock(&mutex_);
    return IsOld();
  }

  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<std::string, std::string>* metadata) override {
    const absl::MutexLock lock(&mutex_);
    if (IsOld()) Read();
    if (token_.empty()) {
      return {grpc::StatusCode::UNAUTHENTICATED, absl::StrCat("no token can be read in ", file_)};
    }
    metadata->emplace("authorization", absl::StrCat("Bearer ", token_));
    return grpc::Status::OK;
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool IsOld() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return token_.empty() || Clock::now() - looked_ >= kTokenBetweenLooks;
  }
  // What cannot be read leaves the token that was.
  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    looked_ = Clock::now();
    std::ifstream file(file_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    std::string token(absl::StripAsciiWhitespace(text.str()));
    if (!token.empty()) token_ = std::move(token);
  }

  const std::string file_;
  mutable absl::Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point looked_ ABSL_GUARDED_BY(mutex_);
};

// Gives each call of a channel the token. A channel's own credentials could do that with TLS only:
// gRPC 1.51 refuses them in plaintext, where those of a call are taken if they ask for no security.
class TokenForEachCall : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenForEachCall(const std::string& file)
      : token_(grpc::experimental::MetadataCredentialsFromPlugin(
            std::make_unique<TokenOfFile>(file), GRPC_SECURITY_NONE)) {}

  // Comes before the call is made; nothing is to be intercepted.
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* rpc) override {
    rpc->client_context()->set_credentials(token_);
    return nullptr;
  }

 private:
  const std::shared_ptr<grpc::CallCredentials> token_;
};

grpc::ChannelArguments ArgumentsOf(const ChannelLimits& limits) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(limits.message_bytes_max);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // what an attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, limits.reconnect_backoff_ms_max);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

}  // namespace

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& control, const Credentials& credentials,
                                         const ChannelLimits& limits) {
  const grpc::ChannelArguments arguments = ArgumentsOf(limits);
  const std::shared_ptr<grpc::ChannelCredentials> tls = TlsOf(credentials);
  if (credentials.token_file.empty()) return grpc::CreateCustomChannel(control, tls, arguments);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> each_call;
  each_call.push_back(std::make_unique<TokenForEachCall>(credentials.token_file));
  return grpc::experimental::CreateCustomChannelWithInterceptors(control, tls, arguments,
                                                                 std::move(each_call));
}

}  // namespace sessioncast
