#include "edge/socketio/server.h"

#include <cassert>
#include <utility>

#include "edge/engineio/engine.h"
#include "edge/socketio/connection_sockets.h"
#include "edge/socketio/namespace_handlers.h"

namespace sessioncast::socketio {
namespace {

engineio::OriginPolicy Origins(const Options& options) {
  engineio::OriginPolicy policy;
  policy.origins = options.cors_origins;
  policy.standard = options.cors_default == Options::CorsDefault::kListOnly
                        ? engineio::OriginPolicy::Default::kListOnly
                        : engineio::OriginPolicy::Default::kOwnAndLoopback;
  return policy;
}

engineio::ConnectionLimits ConnectionLimitsOf(const Options& options) {
  engineio::ConnectionLimits limits;
  limits.ping_interval = options.ping_interval;
  limits.ping_timeout = options.ping_timeout;
  limits.upgrade_timeout = options.upgrade_timeout;
  limits.write_timeout = options.write_timeout;
  limits.post_bytes_max = options.post_bytes_max;
  limits.post_packets_max = options.post_packets_max;
  limits.poll_packets_max = options.poll_packets_max;
  limits.queue_bytes_max = options.queue_bytes_max;
  limits.unsent_bytes_max = options.unsent_bytes_max;
  limits.frames.message_bytes_max = options.message_bytes_max;
  limits.frames.fragments_max = options.message_fragments_max;
  limits.frames.control_frames_max = options.control_frames_max;
  return limits;
}

engineio::HttpLimits HttpLimitsOf(const Options& options) {
  engineio::HttpLimits limits;
  limits.header_bytes_max = options.header_bytes_max;
  limits.header_timeout = options.header_timeout;
  limits.body_timeout = options.body_timeout;
  limits.idle_timeout = options.idle_timeout;
  limits.write_timeout = options.write_timeout;
  return limits;
}

engineio::StaticFiles FilesOf(const Options& options) {
  engineio::StaticFiles files;
  files.version = options.client_version;
  for (const auto& [name, file] : options.client_files) {
    files.files.emplace(name, engineio::StaticFile{file.content_type, file.body});
  }
  return files;
}

engineio::EngineOptions EngineOptionsOf(const Options& options) {
  engineio::EngineOptions engine;
  engine.listen = options.listen;
  engine.io_threads = options.io_threads;
  engine.path = options.path;
  engine.connections_max = options.connections_max;
  engine.admission.handshakes_per_s_max = options.handshakes_per_s_max;
  engine.admission.wait_max = options.handshake_wait_max;
  engine.connections_per_address_max = options.connections_per_address_max;
  engine.trusted_proxies = options.trusted_proxies;
  engine.queued_bytes_max = options.queued_bytes_max;
  engine.send_buffer_bytes = options.send_buffer_bytes;
  engine.connection = ConnectionLimitsOf(options);
  engine.http = HttpLimitsOf(options);
  engine.origins = Origins(options);
  engine.files = FilesOf(options);
  engine.sid_suffix = options.sid_suffix;
  engine.cookie = options.cookie;
  return engine;
}

}  // namespace

class Server::State {
 public:
  State(Options options, Observer observer) : engine(EngineOptionsOf(options)) {
    rules.packets.json_depth_max = options.json_depth_max;
    rules.packets.attachments_max = options.attachments_max;
    rules.packets.attachments_bytes_max = options.attachments_bytes_max;
    rules.awaited_acks_max = options.awaited_acks_max;
    if (options.message_rate.per_s_max > 0 || !options.event_rates.empty()) {
      rules.rates.push_back(options.message_rate);
    }
    for (const auto& [event, rate] : options.event_rates) {
      rules.event_rates.emplace(event, rules.rates.size());
      rules.rates.push_back(rate);
    }
    rules.connect_timeout = options.connect_timeout;
    // As long as a client may be silent.
    rules.attachments_timeout = options.ping_interval + options.ping_timeout;
    rules.observer = std::move(observer);
    engine.options().on_packet = rules.observer.packet;
    engine.options().on_ended = rules.observer.ended;
    engine.options().on_limit_reached = rules.observer.limit_reached;
    engine.options().on_other_protocol = rules.observer.other_protocol;
    engine.options().accept = [this](engineio::Connection& connection) {
      return std::make_unique<ConnectionSockets>(rules, connection);
    };
  }

  ServerRules rules;
  engineio::Engine engine;  // goes first: its connections refer to the rules
  bool started = false;
};

Server::Server(Options options, Observer observer)
    : state_(std::make_unique<State>(std::move(options), std::move(observer))) {
  Of("/");
}

Server::~Server() = default;

Namespace& Server::Of(std::string_view path) {
  assert(!state_->started);
  auto& namespaces = state_->rules.namespaces;
  auto found = namespaces.find(path);
  if (found == namespaces.end()) {
    found = namespaces
                .emplace(std::string(path), std::make_unique<NamespaceHandlers>(std::string(path)))
                .first;
  }
  return *found->second;
}

void Server::AllowRequest(std::function<std::optional<std::string>(const HttpRequest&)> refusal) {
  assert(!state_->started);
  state_->engine.options().refusal = std::move(refusal);
}

void Server::OnRequest(HttpHandler handler) {
  assert(!state_->started);
  state_->engine.options().on_request = std::move(handler);
}

absl::Status Server::Start() {
  state_->started = true;
  return state_->engine.Start();
}

std::vector<std::string> Server::addresses() const { return state_->engine.addresses(); }

uint16_t Server::port() const { return state_->engine.port(); }

void Server::StopAccepting() { state_->engine.StopAccepting(); }

void Server::Stop() { state_->engine.Stop(); }

const std::vector<std::unique_ptr<IoThread>>& Server::threads() const {
  return state_->engine.threads();
}

size_t Server::connections() const { return state_->engine.connections(); }

Held Server::CountHeld() const { return state_->engine.CountHeld(); }

Held Server::CountHeldOf(const IoThread& thread) const {
  return state_->engine.CountHeldOf(thread.index());
}

}  // namespace sessioncast::socketio
