#include "edge/flags.h"

#include <chrono>
#include <string>

#include "CLI/CLI.hpp"

namespace sessioncast::edge {
namespace {

constexpr char kGroup[] = "Edge";

template <typename Value>
CLI::Option* Add(CLI::App& app, const std::string& name, Value& value, const std::string& help) {
  std::string variable = "SESSIONCAST_" + name;
  for (char& c : variable) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return app.add_option("--" + name, value, help)
      ->envname(variable)
      ->capture_default_str()
      ->group(kGroup);
}

void AddMilliseconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                     const std::string& help) {
  std::string variable = "SESSIONCAST_" + name;
  for (char& c : variable) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  app.add_option_function<int64_t>(
         "--" + name, [&value](int64_t count) { value = std::chrono::milliseconds(count); }, help)
      ->check(CLI::PositiveNumber)
      ->envname(variable)
      ->default_str(std::to_string(value.count()))
      ->group(kGroup);
}

}  // namespace

void AddFlags(CLI::App& app, ServerOptions& options) {
  socketio::Options& sockets = options.sockets;
  Add(app, "http_listen", sockets.listen,
      "HOST:PORT for HTTP; localhost means 127.0.0.1 and ::1; port 0: the system picks");
  Add(app, "io_threads", sockets.io_threads, "Threads that serve sockets")
      ->check(CLI::Range(1, 64));
  app.add_option("--cors_origins", sockets.cors_origins,
                 "Origins whose pages may connect, comma-separated; *: any. "
                 "The server's own and loopback ones may unless this is given")
      ->delimiter(',')
      ->envname("SESSIONCAST_CORS_ORIGINS")
      ->group(kGroup)
      ->each([&sockets](const std::string&) {
        sockets.cors_default = socketio::Options::CorsDefault::kListOnly;
      });
  AddMilliseconds(app, "ping_interval_ms", sockets.ping_interval, "Time between heartbeats");
  AddMilliseconds(app, "ping_timeout_ms", sockets.ping_timeout,
                  "A heartbeat not answered for so long ends the connection");
  AddMilliseconds(app, "upgrade_timeout_ms", sockets.upgrade_timeout,
                  "An upgrade not finished for so long is given up; polling goes on");
  AddMilliseconds(app, "connect_timeout_ms", sockets.connect_timeout,
                  "A connection that joined no namespace for so long ends");
  Add(app, "message_bytes_max", sockets.message_bytes_max, "One message of a client")
      ->check(CLI::Range(1, 16 * 1024 * 1024));
  Add(app, "post_bytes_max", sockets.post_bytes_max, "One POST body")
      ->check(CLI::Range(1, 64 * 1024 * 1024));
  Add(app, "connections_max", sockets.connections_max, "Connections at a time");
  Add(app, "sessions_max", options.sessions.sessions_max,
      "Sessions that one connection may subscribe to");
}

}  // namespace sessioncast::edge
