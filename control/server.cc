#include "control/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "control/edge_service.h"
#include "control/listener.h"
#include "control/memory_store.h"
#include "control/server_service.h"
#include "grpc/health/v1/health.pb.h"
#include "proto/rules.h"
#include "spdlog/spdlog.h"

namespace sessioncast::control {
namespace {

// A peer that vanished without a reset is noticed within the two. Clients may ask as often
// themselves: edge and SDK do, every 10 s.
constexpr int kKeepaliveMs = 20'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kPingIntervalMinMs = 5'000;
// Of TLS, and of HTTP/2's first words.
constexpr int kHandshakeMs = 10'000;
// After the grace gRPC has cancelled all calls; so long what it says to them may take to leave.
constexpr int kLastWordsMs = 1'000;

using ConnectionAcceptor = grpc::experimental::ExternalConnectionAcceptor;

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const ServerOptions& options) {
  absl::string_view directory = options.store;
  if (options.store == "memory") {
    return std::make_unique<MemoryStore>(MemoryStoreOptions{options.memory_store_bytes_max});
  }
  if (absl::ConsumePrefix(&directory, "rocksdb:") && !directory.empty()) {
    return RocksDbStore::Open(RocksDbStoreOptions{.directory = std::string(directory),
                                                  .free_bytes_min = options.store_free_bytes_min});
  }
  return absl::InvalidArgumentError(
      absl::StrCat("store '", options.store, "': must be rocksdb:DIRECTORY or memory"));
}

// What a caller is asked for.
struct Asked {
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::shared_ptr<access::TokenVerifier> tokens;  // null: no token
};

absl::StatusOr<Asked> AskedBy(const ServerOptions& options) {
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials = CredentialsOf(options.tls);
  if (!credentials.ok()) return credentials.status();
  absl::StatusOr<std::shared_ptr<access::TokenVerifier>> tokens =
      access::LoadVerifier(options.access);
  if (!tokens.ok()) return tokens.status();
  const bool asks = *tokens != nullptr || !options.tls.client_ca_file.empty();
  const absl::Status is_loopback = access::CheckIsLoopback("grpc_listen", options.grpc_listen);
  if (!asks && !options.access.insecure_listen && !is_loopback.ok()) return is_loopback;
  if (options.tls.cert_file.empty() && !is_loopback.ok()) {
    spdlog::warn("gRPC in plaintext on {}: the network can read what is sent, tokens too",
                 options.grpc_listen);
  }
  return Asked{*std::move(credentials), *std::move(tokens)};
}

// Streams write once what a group of commits gives them.
BrokerOptions WithCork(BrokerOptions options) {
  options.commit_queue.around_telling = [](absl::FunctionRef<void()> tell) {
    const WriteCork cork;
    tell();
  };
  return options;
}

v1::ServerLimits LimitsOf(const ServerOptions& options) {
  v1::ServerLimits limits;
  limits.set_result_event_bytes_max(kResultEventBytesMax);
  limits.set_event_bytes_max(kEventBytesMax);
  limits.set_message_bytes_max(static_cast<uint64_t>(options.receive_message_bytes_max));
  limits.set_publish_in_flight_bytes_max(options.broker.commit_queue.in_flight_bytes_max);
  limits.set_history_kept_events_max(options.broker.history.kept.events_max);
  return limits;
}

}  // namespace

// Each uses those before it.
struct Server::Parts {
  Parts(ServerOptions given, Asked asks, std::unique_ptr<Store> opened,
        std::unique_ptr<Listener> bound)
      : options(std::move(given)),
        asked(std::move(asks)),
        store(std::move(opened)),
        listener(std::move(bound)),
        broker(std::make_unique<Broker>(*store, WithCork(options.broker))),
        pacer(std::chrono::microseconds(options.write_interval_us)),
        access(asked.tokens),
        session_service(*broker, access, pacer, options.session_service),
        edge_service(*broker, access, pacer, options.attach),
        server_service(access, LimitsOf(options)) {}

  absl::Status StartGrpc();
  void GuardReflection(grpc::ServerBuilder& builder);
  void Stop();
  void StopGrpc();

  const ServerOptions options;
  const Asked asked;
  std::unique_ptr<Store> store;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Broker> broker;
  WritePacer pacer;
  Access access;
  SessionService session_service;
  EdgeService edge_service;
  ServerService server_service;
  std::unique_ptr<ConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> grpc_server;
};

absl::Status Server::Parts::StartGrpc() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // gRPC serves health, but has no descriptor of it: named here, so that it is linked and
  // reflection can describe it.
  grpc::health::v1::HealthCheckRequest::descriptor();
  grpc::ServerBuilder builder;
  builder.RegisterService(&session_service);
  builder.RegisterService(&edge_service);
  builder.RegisterService(&server_service);
  GuardReflection(builder);
  builder.SetMaxReceiveMessageSize(options.receive_message_bytes_max);
  // A small compressed message may be a large one: gRPC 1.51 takes gigabytes to find out.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.concurrent_streams_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, options.metadata_bytes_max);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, asked.credentials);
  grpc_server = builder.BuildAndStart();
  if (grpc_server == nullptr) return absl::UnavailableError("the gRPC server does not start");
  grpc_server->GetHealthCheckService()->SetServingStatus(true);
  return listener->Start([this](int listening_fd, int fd) {
    ConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = listening_fd;
    connection.fd = fd;
    acceptor->HandleNewConnection(&connection);
  });
}

// gRPC's own service does not ask our Access.
void Server::Parts::GuardReflection(grpc::ServerBuilder& builder) {
  if (asked.tokens == nullptr) return;
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> guards;
  guards.push_back(access.GuardOfReflection());
  builder.experimental().SetInterceptorCreators(std::move(guards));
}

void Server::Parts::Stop() {
  if (grpc_server != nullptr) grpc_server->GetHealthCheckService()->SetServingStatus(false);
  listener->Stop();
  session_service.Drain();
  edge_service.Drain();
  if (grpc_server != nullptr) StopGrpc();
  broker.reset();
  store.reset();
}

// gRPC 1.51 closes no connection, and ends no call of it, while a write to its socket is under way:
// to a peer that has vanished without a reset that is for ever, past cancellation and keepalive.
void Server::Parts::StopGrpc() {
  std::promise<void> stopped;
  std::thread last_step([this, stopping = stopped.get_future()] {
    const std::chrono::milliseconds limit(options.stop_grace_ms + kLastWordsMs);
    if (stopping.wait_for(limit) == std::future_status::timeout) listener->EndConnections();
  });
  // The monotonic clock: a jump of the wall clock while it stops is nothing to it.
  grpc_server->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                     gpr_time_from_millis(options.stop_grace_ms, GPR_TIMESPAN)));
  grpc_server->Wait();
  stopped.set_value();
  last_step.join();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options) {
  absl::StatusOr<Asked> asked = AskedBy(options);
  if (!asked.ok()) return asked.status();
  absl::StatusOr<std::unique_ptr<Listener>> listener = Listener::Bind(options.grpc_listen);
  if (!listener.ok()) return listener.status();
  absl::StatusOr<std::unique_ptr<Store>> store = OpenStore(options);
  if (!store.ok()) return store.status();
  auto parts = std::make_unique<Parts>(std::move(options), *std::move(asked), *std::move(store),
                                       *std::move(listener));
  if (absl::Status status = parts->StartGrpc(); !status.ok()) return status;
  spdlog::info("control keeps its events in {}", parts->options.store);
  for (const std::string& address : parts->listener->addresses()) {
    spdlog::info("control listening on {}", address);
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::~Server() { Stop(); }

uint16_t Server::port() const { return parts_->listener->port(); }

std::vector<std::string> Server::addresses() const { return parts_->listener->addresses(); }

std::shared_ptr<grpc::Channel> Server::InProcessChannel() {
  if (parts_->asked.tokens == nullptr)
    return parts_->grpc_server->InProcessChannel(grpc::ChannelArguments());
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> pass;
  pass.push_back(parts_->access.PassOfThisProcess());
  return parts_->grpc_server->experimental().InProcessChannelWithInterceptors(
      grpc::ChannelArguments(), std::move(pass));
}

absl::Status Server::ReloadKeys() {
  return parts_->asked.tokens == nullptr ? absl::OkStatus() : parts_->asked.tokens->Reload();
}

BrokerCounts Server::counts() const { return parts_->broker->counts(); }

void Server::Stop() { parts_->Stop(); }

}  // namespace sessioncast::control
