// A Socket.IO server that echoes, for conformance suites: on edge/socketio/server.h alone, except
// --raw_engineio, which is on the engine below it.
//
// Prints "listening on ADDRESS" for each address once it does; ends on SIGTERM or SIGINT.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "edge/engineio/engine.h"
#include "edge/socketio/server.h"
#include "tests/conformance/replay_log.h"

namespace {

namespace engineio = sessioncast::engineio;
using sessioncast::conformance::KeptEvent;
using sessioncast::conformance::ReplayLog;
using sessioncast::socketio::Ack;
using sessioncast::socketio::Attachment;
using sessioncast::socketio::Identity;
using sessioncast::socketio::Json;
using sessioncast::socketio::Namespace;
using sessioncast::socketio::Options;
using sessioncast::socketio::Server;
using sessioncast::socketio::Socket;
using sessioncast::socketio::Tag;

struct Flags {
  std::string listen = "localhost:3000";
  std::string path = "/socket.io/";
  int io_threads = 1;
  int64_t ping_interval_ms = 25'000;
  int64_t ping_timeout_ms = 20'000;
  int64_t connect_timeout_ms = 45'000;
  size_t max_payload_bytes = 1'000'000;
  bool recovery = false;
  bool raw_engineio = false;
};

// Blocks the signals in this thread and those that it starts, so that WaitForSignal receives them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

template <typename AnyServer>
int Run(AnyServer& server, const sigset_t& signals) {
  if (absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  for (const std::string& address : server.addresses()) {
    std::printf("listening on %s\n", address.c_str());
  }
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  server.Stop();
  return 0;
}

class RawEcho : public engineio::MessageSink {
 public:
  explicit RawEcho(engineio::Connection& connection) : connection_(connection) {}
  void OnText(std::string_view text) override {
    connection_.SendText(std::string(text));
  }
  void OnBinary(std::string_view bytes) override {
    connection_.SendBinary(std::string(bytes));
  }
  void OnDrained() override {}
  void OnClose(engineio::DisconnectReason) override {}

 private:
  engineio::Connection& connection_;
};

int RunRaw(const Flags& flags, const sigset_t& signals) {
  engineio::EngineOptions options;
  options.listen = flags.listen;
  options.path = flags.path;
  options.io_threads = static_cast<size_t>(flags.io_threads);
  options.connection.ping_interval = std::chrono::milliseconds(flags.ping_interval_ms);
  options.connection.ping_timeout = std::chrono::milliseconds(flags.ping_timeout_ms);
  options.connection.post_bytes_max = flags.max_payload_bytes;
  options.connection.frames.message_bytes_max = flags.max_payload_bytes;
  options.accept = [](engineio::Connection& connection) {
    return std::make_unique<RawEcho>(connection);
  };
  engineio::Engine engine(std::move(options));
  return Run(engine, signals);
}

// What a socket is kept by, with --recovery.
struct Pid : public Attachment {
  explicit Pid(std::string pid) : pid(std::move(pid)) {}
  const std::string pid;
};

const std::string* PidOf(const Socket& socket) {
  const auto* attachment = static_cast<const Pid*>(socket.attachment());
  return attachment != nullptr ? &attachment->pid : nullptr;
}

std::string AuthText(const Socket& socket, const char* key) {
  return socket.handshake().auth.value(key, Json()).is_string()
             ? socket.handshake().auth.at(key).get<std::string>()
             : std::string();
}

// The number of the last event that the client has; nothing if it has none, or says nonsense.
std::optional<uint64_t> OffsetOf(const Socket& socket) {
  uint64_t offset = 0;
  if (!absl::SimpleAtoi(AuthText(socket, "offset"), &offset)) return std::nullopt;
  return offset;
}

Identity Identify(ReplayLog& log, const Socket& socket) {
  const std::string pid = AuthText(socket, "pid");
  if (const std::optional<uint64_t> offset = OffsetOf(socket)) {
    if (const std::optional<std::string> id = log.Restore(pid, *offset)) return {pid, *id, true};
  }
  return {log.Open(socket.id()), "", false};
}

void EmitNumbered(Socket& socket, const KeptEvent& event) {
  socket.EmitTagged(event.name, event.arguments, std::make_shared<const uint64_t>(event.number));
}

void EmitKept(ReplayLog& log, Socket& socket, std::string_view name, const Json& arguments) {
  const std::string* pid = PidOf(socket);
  if (pid == nullptr) return socket.Emit(name, arguments);
  EmitNumbered(socket, {log.Append(*pid, name, arguments), std::string(name), arguments});
}

void Recover(Namespace& name_space, ReplayLog& log) {
  name_space.UseRecovery([&log](Socket& socket) {
    Identity identity = Identify(log, socket);
    socket.set_attachment(std::make_unique<Pid>(identity.pid));
    socket.SetLastArgument([](const Tag& tag) {
      return tag ? std::to_string(*static_cast<const uint64_t*>(tag.get())) : std::string();
    });
    return identity;
  });
  name_space.OnConnect([&log](Socket& socket) {
    if (!socket.recovered()) return;
    for (const KeptEvent& event : log.After(*PidOf(socket), OffsetOf(socket).value_or(0))) {
      EmitNumbered(socket, event);
    }
  });
  name_space.OnDisconnect([&log](Socket& socket, auto) { log.Leave(*PidOf(socket)); });
}

int RunSocketIo(const Flags& flags, const sigset_t& signals) {
  Options options;
  options.listen = flags.listen;
  options.path = flags.path;
  options.io_threads = static_cast<size_t>(flags.io_threads);
  options.ping_interval = std::chrono::milliseconds(flags.ping_interval_ms);
  options.ping_timeout = std::chrono::milliseconds(flags.ping_timeout_ms);
  options.connect_timeout = std::chrono::milliseconds(flags.connect_timeout_ms);
  options.message_bytes_max = flags.max_payload_bytes;
  options.post_bytes_max = flags.max_payload_bytes;
  ReplayLog log;
  Server server(std::move(options));
  for (const char* path : {"/", "/custom"}) {
    if (flags.recovery) Recover(server.Of(path), log);
    server.Of(path).OnConnect([&log](Socket& socket) {
      EmitKept(log, socket, "auth", Json::array({socket.handshake().auth}));
    });
  }
  server.Of("/").On("message", [&log](Socket& socket, const Json& arguments, Ack) {
    EmitKept(log, socket, "message-back", arguments);
  });
  server.Of("/").On("message-with-ack",
                    [](Socket&, const Json& arguments, Ack ack) { ack(arguments); });
  return Run(server, signals);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Echoes Socket.IO events, for conformance suites.");
  app.add_option("--listen", flags.listen, "HOST:PORT; localhost: both address families");
  app.add_option("--path", flags.path, "where Engine.IO is");
  app.add_option("--io_threads", flags.io_threads)->check(CLI::Range(1, 64));
  app.add_option("--ping_interval_ms", flags.ping_interval_ms)->check(CLI::PositiveNumber);
  app.add_option("--ping_timeout_ms", flags.ping_timeout_ms)->check(CLI::PositiveNumber);
  app.add_option("--connect_timeout_ms", flags.connect_timeout_ms)->check(CLI::PositiveNumber);
  app.add_option("--max_payload_bytes", flags.max_payload_bytes)->check(CLI::PositiveNumber);
  app.add_flag("--recovery", flags.recovery, "clients go on after a lost connection");
  app.add_flag("--raw_engineio", flags.raw_engineio, "echo Engine.IO messages, without Socket.IO");
  CLI11_PARSE(app, argc, argv);
  const sigset_t signals = BlockStopSignals();
  return flags.raw_engineio ? RunRaw(flags, signals) : RunSocketIo(flags, signals);
}
