// The flags of the limits on what clients may do (docs/PROTOCOL.md, "Limits").
#include "edge/flags.h"
#include "tools/daemon/flag.h"

namespace sessioncast::edge {
namespace {

constexpr char kGroup[] = "Limits on clients";
constexpr int kMebibyte = 1024 * 1024;

template <typename Value>
CLI::Option* Add(CLI::App& app, const std::string& name, Value& value, const std::string& help) {
  return daemon::AddFlag(app, kGroup, name, value, help);
}

void AddMilliseconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                     const std::string& help) {
  daemon::AddMillisecondsFlag(app, kGroup, name, value, help, CLI::PositiveNumber);
}

void AddRequestFlags(CLI::App& app, socketio::Options& sockets) {
  Add(app, "header_bytes_max", sockets.header_bytes_max, "Request line, and header fields, each")
      ->check(CLI::Range(1024, kMebibyte));
  AddMilliseconds(app, "header_timeout_ms", sockets.header_timeout,
                  "A request whose head is not there after so long is answered 408");
  AddMilliseconds(app, "body_timeout_ms", sockets.body_timeout,
                  "A request whose body is not there after so long is answered 408");
  AddMilliseconds(app, "idle_timeout_ms", sockets.idle_timeout,
                  "A TCP connection without a request for so long is closed");
  Add(app, "post_packets_max", sockets.post_packets_max, "Packets in one POST body")
      ->check(CLI::Range(1, 100'000));
}

void AddMessageFlags(CLI::App& app, socketio::Options& sockets) {
  Add(app, "message_fragments_max", sockets.message_fragments_max,
      "WebSocket frames of one message")
      ->check(CLI::Range(1, kMebibyte));
  Add(app, "control_frames_max", sockets.control_frames_max,
      "WebSocket control frames in a row, without a message between them")
      ->check(CLI::Range(1, kMebibyte));
  Add(app, "json_depth_max", sockets.json_depth_max, "How deep the JSON of a message may nest")
      ->check(CLI::Range(2, 100));
  Add(app, "attachments_max", sockets.attachments_max, "Binary attachments of one message")
      ->check(CLI::Range(1, 1'000));
  Add(app, "attachments_bytes_max", sockets.attachments_bytes_max,
      "Binary attachments of one message, together")
      ->check(CLI::Range(1, 64 * kMebibyte));
}

void AddRateFlags(CLI::App& app, socketio::Options& sockets) {
  Add(app, "messages_per_s_max", sockets.message_rate.per_s_max,
      "Messages of a connection a second, beside subscribe and unsubscribe; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  Add(app, "messages_burst_max", sockets.message_rate.burst_max, "So many of them at once")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option_function<size_t>(
         "--subscribes_per_s_max",
         [&sockets](size_t count) {
           for (auto& [event, rate] : sockets.event_rates) rate.per_s_max = count;
         },
         "Subscribes, and unsubscribes, of a connection a second; sessions_max at once; "
         "0: no limit")
      ->check(CLI::Range(0, 1'000'000))
      ->envname(daemon::VariableOf("subscribes_per_s_max"))
      ->default_str(std::to_string(sockets.event_rates.begin()->second.per_s_max))
      ->group(kGroup);
}

void AddSharedFlags(CLI::App& app, socketio::Options& sockets) {
  Add(app, "connection_queue_bytes_max", sockets.queue_bytes_max,
      "What is queued for one connection in all; past it the connection ends")
      ->check(CLI::Range(8 * kMebibyte, 1024 * kMebibyte));  // one event always fits
  Add(app, "queued_bytes_max", sockets.queued_bytes_max,
      "What is queued for all connections; past it those with the longest queues end")
      ->check(CLI::Range(int64_t{64} * kMebibyte, int64_t{1024} * 1024 * kMebibyte));
  Add(app, "connections_per_address_max", sockets.connections_per_address_max,
      "Connections of one client address (of IPv6: of a /64); 0: no limit")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--trusted_proxies", sockets.trusted_proxies,
                 "Networks of proxies before this server, as 10.0.0.0/8, comma-separated: the "
                 "client's address is what they say in X-Forwarded-For")
      ->delimiter(',')
      ->envname(daemon::VariableOf("trusted_proxies"))
      ->group(kGroup);
}

}  // namespace

void AddLimitFlags(CLI::App& app, ServerOptions& options) {
  AddRequestFlags(app, options.sockets);
  AddMessageFlags(app, options.sockets);
  AddRateFlags(app, options.sockets);
  AddSharedFlags(app, options.sockets);
}

}  // namespace sessioncast::edge
