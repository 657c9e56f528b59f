// A Socket.IO server that echoes, for conformance suites: on edge/socketio/server.h alone, except
// --raw_engineio, which is on the engine below it.
//
// Prints "listening on ADDRESS" for each address once it does; ends on SIGTERM or SIGINT.
#include <csignal>
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "edge/engineio/engine.h"
#include "edge/socketio/server.h"

namespace {

namespace engineio = sessioncast::engineio;
using sessioncast::socketio::Ack;
using sessioncast::socketio::Json;
using sessioncast::socketio::Options;
using sessioncast::socketio::Server;
using sessioncast::socketio::Socket;

struct Flags {
  std::string listen = "localhost:3000";
  std::string path = "/socket.io/";
  int io_threads = 1;
  int64_t ping_interval_ms = 25'000;
  int64_t ping_timeout_ms = 20'000;
  int64_t connect_timeout_ms = 45'000;
  size_t max_payload_bytes = 1'000'000;
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
    connection_.SendText(std::make_shared<const std::string>(text));
  }
  void OnBinary(std::string_view bytes) override {
    connection_.SendBinary(std::make_shared<const std::string>(bytes));
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
  Server server(std::move(options));
  const auto greet = [](Socket& socket) { socket.Emit("auth", {socket.handshake().auth}); };
  server.Of("/").OnConnect(greet);
  server.Of("/custom").OnConnect(greet);
  server.Of("/").On("message", [](Socket& socket, const Json& arguments, Ack) {
    socket.Emit("message-back", arguments);
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
  app.add_flag("--raw_engineio", flags.raw_engineio, "echo Engine.IO messages, without Socket.IO");
  CLI11_PARSE(app, argc, argv);
  const sigset_t signals = BlockStopSignals();
  return flags.raw_engineio ? RunRaw(flags, signals) : RunSocketIo(flags, signals);
}
