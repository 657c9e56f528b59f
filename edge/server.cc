#include "edge/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "edge/readiness.h"
#include "edge/rest.h"
#include "edge/web_files.h"
#include "spdlog/spdlog.h"
#include "tools/daemon/log_gate.h"

namespace sessioncast::edge {
namespace {

socketio::Observer Watch() {
  socketio::Observer observer;
  const auto gate = std::make_shared<daemon::LogGate>();
  observer.other_protocol = [gate](std::string_view address, std::string_view protocol) {
    if (const std::optional<std::string> end = gate->Pass(engineio::Clock::now())) {
      spdlog::warn("a client at {} speaks {}, not plain HTTP/1.1; TLS is a proxy's work{}", address,
                   protocol, *end);
    }
  };
  const auto limit_gate = std::make_shared<daemon::LogGate>();
  observer.limit_reached = [limit_gate](std::string_view limit, std::string_view what) {
    if (const std::optional<std::string> end = limit_gate->Pass(engineio::Clock::now())) {
      spdlog::warn("limit reached: {}: {}{}", limit, what, *end);
    }
  };
  if (spdlog::should_log(spdlog::level::debug)) {
    // The sid is the connection's credential: only its beginning is shown.
    observer.packet = [](std::string_view sid, std::string_view direction, std::string_view type,
                         size_t bytes) {
      spdlog::debug("connection {}...: {} {} {} bytes", sid.substr(0, 4), direction, type, bytes);
    };
    observer.ended = [](std::string_view sid, socketio::DisconnectReason reason) {
      spdlog::debug("connection {}...: ended ({})", sid.substr(0, 4), ToString(reason));
    };
  }
  return observer;
}

std::map<std::string, socketio::ClientFile> ServedClient() {
  std::map<std::string, socketio::ClientFile> served;
  for (auto& [name, file] : ClientFiles()) {
    served[name] = {std::move(file.content_type), std::move(file.body)};
  }
  return served;
}

// A client that comes back subscribes to all its sessions at once.
socketio::Options SocketOptionsOf(const ServerOptions& options) {
  socketio::Options sockets = options.sockets;
  for (auto& [event, rate] : sockets.event_rates) rate.burst_max = options.sessions.sessions_max;
  return sockets;
}

// A connection has a descriptor; what else needs some is few.
void SayHowManyConnections(size_t connections_max) {
  constexpr rlim_t kOtherDescriptors = 100;
  rlimit descriptors = {};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  if (descriptors.rlim_cur >= connections_max + kOtherDescriptors) {
    spdlog::info("at most {} connections (connections_max)", connections_max);
    return;
  }
  spdlog::warn("at most about {} connections: RLIMIT_NOFILE is {} (ulimit -n), and connections_max {}",
               descriptors.rlim_cur - std::min(descriptors.rlim_cur, kOtherDescriptors),
               descriptors.rlim_cur, connections_max);
}

// Beside each file. Our page needs nothing but what is served here; what that of others needs, they
// say in it.
engineio::HttpFields FileHeaders(bool is_ours) {
  engineio::HttpFields headers = {{"Cache-Control", "no-cache"},
                                  {"X-Content-Type-Options", "nosniff"}};
  if (is_ours) {
    headers.emplace_back("Content-Security-Policy",
                         "default-src 'none'; script-src 'self'; style-src 'self'; "
                         "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                         "form-action 'none'; frame-ancestors 'none'");
  }
  return headers;
}

SessionLine LineOf(Upstream& upstream) {
  return {upstream.hub(),
          [&upstream](const Answer& answer, std::function<void(AnswerOutcome)> done) {
            upstream.Answer(answer.session_id, answer.clarification_id, answer.response,
                            std::move(done));
          }};
}

}  // namespace

ServerOptions::ServerOptions() {
  sockets.io_threads = std::max(1U, std::thread::hardware_concurrency());
  sockets.message_bytes_max = 16 * 1024;
  sockets.post_bytes_max = 64 * 1024;
  sockets.post_packets_max = 128;
  sockets.json_depth_max = 8;
  sockets.attachments_bytes_max = 2 * sockets.message_bytes_max;
  sockets.message_rate = {.name = "messages_per_s_max", .per_s_max = 20, .burst_max = 60};
  for (const char* event : {"subscribe", "unsubscribe"}) {
    // At once: as many as there may be sessions, see SocketOptionsOf.
    sockets.event_rates[event] = {.name = "subscribes_per_s_max", .per_s_max = 10, .burst_max = 1};
  }
  sockets.queued_bytes_max = 512 * 1024 * 1024;
  sockets.connect_timeout = std::chrono::seconds(10);
  sockets.write_timeout = std::chrono::seconds(10);
  // Pace::Limits::queue_bytes_max bounds it long before; an event of 1 MiB can be 6 MiB as JSON.
  sockets.queue_bytes_max = 8 * 1024 * 1024;
  sockets.send_buffer_bytes = 128 * 1024;
  sockets.unsent_bytes_max = 4 * 1024;
  sockets.client_version = ClientVersion();
  sockets.client_files = ServedClient();
}

class Server::State {
 public:
  State(const ServerOptions& options, std::unique_ptr<Access> access,
        std::map<std::string, WebFile> files, const std::shared_ptr<grpc::Channel>& channel)
      : access_(std::move(access)),
        drain_time_(options.drain_time),
        readiness_(options.sockets.io_threads),
        files_(std::move(files)),
        connections_max_(options.sockets.connections_max),
        sockets_(SocketOptionsOf(options), Watch()),
        rest_(readiness_, files_, FileHeaders(options.web_root.directory.empty()), *access_,
              [this](const engineio::IoThread& thread) -> Upstream& { return UpstreamOf(thread); }),
        census_(
            sockets_.threads(), [this](const engineio::IoThread& thread) { return Count(thread); },
            Census::Options{}) {
    for (const std::unique_ptr<engineio::IoThread>& thread : sockets_.threads()) {
      upstreams_.push_back(
          std::make_unique<Upstream>(options.upstream, *thread, channel, [this](bool attached) {
            attached ? readiness_.Attached() : readiness_.Detached();
            if (attached) spdlog::info("attached to control");
          }));
    }
    ServeSessions(
        sockets_.Of("/"), options.sessions, *access_,
        [this](const engineio::IoThread& thread) { return LineOf(UpstreamOf(thread)); });
    sockets_.OnRequest(
        [this](engineio::IoThread& thread, const engineio::HttpRequest& request,
               engineio::HttpReply reply) { rest_.Answer(thread, request, std::move(reply)); });
  }

  absl::Status Start(const std::string& path) {
    if (absl::Status status = sockets_.Start(); !status.ok()) return status;
    for (size_t i = 0; i < upstreams_.size(); ++i) {
      sockets_.threads()[i]->Post([this, i] { upstreams_[i]->Start(); });
    }
    for (const std::string& address : sockets_.addresses()) {
      spdlog::info("edge listening on {}", address);
    }
    SayHowManyConnections(connections_max_);
    spdlog::info("🔌 WebSocket server ready at ws://localhost:{}{}", sockets_.port(), path);
    return absl::OkStatus();
  }

  void Stop() {
    if (std::exchange(stopped_, true)) return;
    const bool was_ready = readiness_.ready();
    readiness_.Drain();
    if (was_ready) std::this_thread::sleep_for(drain_time_);
    sockets_.StopAccepting();
    for (const auto& upstream : upstreams_) upstream->Stop();
    sockets_.Stop();
  }

  absl::Status ReloadKeys() { return access_->Reload(); }
  const socketio::Server& sockets() const { return sockets_; }
  Census::Counts counts() {
    Census::Counts counts = census_.Take();
    counts.connections = sockets_.connections();
    return counts;
  }

 private:
  Upstream& UpstreamOf(const engineio::IoThread& thread) { return *upstreams_[thread.index()]; }

  Census::Counts Count(const engineio::IoThread& thread) const {
    const Upstream& upstream = *upstreams_[thread.index()];
    const socketio::Held held = sockets_.CountHeldOf(thread);
    return {.connections = 0,  // known without asking
            .queued_bytes = held.queued_bytes,
            .attached = upstream.attached() ? size_t{1} : 0,
            .hub = upstream.hub().counts()};
  }

  const std::unique_ptr<Access> access_;
  const std::chrono::milliseconds drain_time_;
  Readiness readiness_;
  const std::map<std::string, WebFile> files_;
  const size_t connections_max_;
  // Before the sockets in the order of destruction: a socket leaves its hub when it goes.
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  socketio::Server sockets_;
  Rest rest_;
  Census census_;
  bool stopped_ = false;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options,
                                                      std::shared_ptr<grpc::Channel> channel) {
  const std::string path = options.sockets.path;
  absl::StatusOr<std::unique_ptr<Access>> access = Access::Load(options.access);
  if (!access.ok()) return access.status();
  if (!(*access)->asks() && !options.access.tokens.insecure_listen) {
    absl::Status status = access::CheckIsLoopback("http_listen", options.sockets.listen);
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::map<std::string, WebFile>> files =
      options.web_root.directory.empty() ? PageFiles() : ReadWebRoot(options.web_root);
  if (!files.ok()) return files.status();
  auto state = std::make_unique<State>(std::move(options), *std::move(access), *std::move(files),
                                       channel);
  if (absl::Status status = state->Start(path); !status.ok()) return status;
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { Stop(); }

std::vector<std::string> Server::addresses() const { return state_->sockets().addresses(); }
uint16_t Server::port() const { return state_->sockets().port(); }
Census::Counts Server::counts() const { return state_->counts(); }
absl::Status Server::ReloadKeys() { return state_->ReloadKeys(); }
void Server::Stop() { state_->Stop(); }

}  // namespace sessioncast::edge
