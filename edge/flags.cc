#include "edge/flags.h"

#include <chrono>
#include <string>

#include "CLI/CLI.hpp"
#include "tools/daemon/flag.h"

namespace sessioncast::edge {
namespace {

constexpr char kGroup[] = "Edge";

template <typename Value>
CLI::Option* Add(CLI::App& app, const std::string& name, Value& value, const std::string& help) {
  return daemon::AddFlag(app, kGroup, name, value, help);
}

void AddMilliseconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                     const std::string& help, const CLI::Validator& check = CLI::PositiveNumber) {
  daemon::AddMillisecondsFlag(app, kGroup, name, value, help, check);
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
  Add(app, "sid_suffix", sockets.sid_suffix,
      "Ends each Engine.IO sid, behind a dot, so that a balancer in front of several edges can tell "
      "whose it is: at most 16 of A-Z, a-z, 0-9, -, _; another one for each edge");
  app.add_flag("--token_in_query", options.access.token_in_query,
               "A client may show its token as `token` in a URL, which proxies write into their logs")
      ->envname("SESSIONCAST_TOKEN_IN_QUERY")
      ->group(kGroup);
  Add(app, "web_root", options.web_root.directory,
      "A directory whose files are served at / in place of the page; read at the start");
  Add(app, "web_root_bytes_max", options.web_root.bytes_max, "All its files together")
      ->check(CLI::Range(size_t{1}, size_t{4} * 1024 * 1024 * 1024));
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
  Add(app, "handshakes_per_s_max", sockets.handshakes_per_s_max,
      "Connections that may begin in a second; those beyond it wait their turn")
      ->check(CLI::Range(1, 1'000'000));
  AddMilliseconds(app, "handshake_wait_ms_max", sockets.handshake_wait_max,
                  "One that would wait for longer is answered 503", CLI::Range(0, 60'000));
  Add(app, "sessions_max", options.sessions.sessions_max,
      "Sessions that one connection may subscribe to");
  Add(app, "socket_queue_bytes_max", options.upstream.hub.pace.queue_bytes_max,
      "Events queued for one socket; past it they are dropped, and it reads conflated pages")
      ->check(CLI::Range(64 * 1024, 64 * 1024 * 1024));
  AddMilliseconds(app, "write_timeout_ms", sockets.write_timeout,
                  "A client that takes nothing of what waits for it for so long is disconnected");
  AddMilliseconds(app, "drain_ms", options.drain_time,
                  "After SIGTERM /readyz says 503 for so long before the listener closes",
                  CLI::Range(0, 60'000));
  AddLimitFlags(app, options);
#ifdef SESSIONCAST_FAILPOINTS
  app.add_option_function<std::string>(
         "--broken_rule",
         [&options](const std::string& name) {
           for (const auto& [known, rule] : kBrokenRules) {
             if (name != known) continue;
             options.sessions.broken_rule = options.upstream.hub.broken_rule = rule;
             return;
           }
           throw CLI::ValidationError("broken_rule", "there is no such rule");
         },
         "A rule of recovery that is broken, for tests of the checker")
      ->group(kGroup);
#endif
}

}  // namespace sessioncast::edge
