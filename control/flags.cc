#include "control/flags.h"

#include <CLI/CLI.hpp>
#include <string>

#include "control/server.h"
#include "tools/daemon/flag.h"

namespace sessioncast::control {
namespace {

// A flag with its environment variable: --grpc_listen, SESSIONCAST_GRPC_LISTEN.
template <typename T>
void Add(CLI::App& app, const std::string& name, T& value, const std::string& help) {
  daemon::AddFlag(app, "Control", name, value, help);
}

}  // namespace

void AddFlags(CLI::App& app, ServerOptions& options) {
  Add(app, "grpc_listen", options.grpc_listen,
      "HOST:PORT for gRPC. localhost is 127.0.0.1 and ::1; port 0: the system picks one");
  Add(app, "tls_cert", options.tls.cert_file,
      "A file with control's certificate, and those between it and a root, in PEM: gRPC over TLS");
  Add(app, "tls_key", options.tls.key_file, "A file with its private key, in PEM");
  Add(app, "tls_client_ca", options.tls.client_ca_file,
      "A file with certificates in PEM: a client must show one that one of them has signed");
  Add(app, "concurrent_streams_max", options.concurrent_streams_max,
      "Calls that a client may have open on one connection");
  Add(app, "metadata_bytes_max", options.metadata_bytes_max,
      "Metadata of a call, a token for example, in bytes");
  Add(app, "store", options.store,
      "Where the events are kept: rocksdb:DIRECTORY, or memory (lost at the end)");
  Add(app, "store_free_bytes_min", options.store_free_bytes_min,
      "Free on the disk, in bytes, before events are appended again after it was full");
  Add(app, "memory_store_bytes_max", options.memory_store_bytes_max,
      "What --store=memory may hold");
  Add(app, "histories_bytes_max", options.broker.histories_bytes_max,
      "Histories of all sessions in memory");
  Add(app, "history_kept_events_max", options.broker.history.kept.events_max,
      "Events of a session that are kept; the oldest leave, an eighth at a time");
  Add(app, "history_kept_bytes_max", options.broker.history.kept.bytes_max,
      "Events of a session that are kept, in bytes");
  Add(app, "history_kept_age_ms_max", options.broker.history.kept.age_ms_max,
      "How long events are kept, in milliseconds, in a session that goes on");
  Add(app, "history_window_events_max", options.broker.history.window_events_max,
      "Recent events of a session in memory");
  Add(app, "history_window_bytes_max", options.broker.history.window_bytes_max,
      "Recent events of a session in memory, in bytes");
  Add(app, "open_clarifications_max", options.broker.history.open_clarifications_max,
      "Open clarifications of a session");
  Add(app, "session_time_to_live_ms", options.broker.history.time_to_live_ms,
      "A session without an event for so long ends as EXPIRED, in milliseconds");
  Add(app, "session_ended_kept_ms", options.broker.history.ended_kept_ms,
      "How long after its end a session is deleted, in milliseconds");
  Add(app, "publish_in_flight_bytes_max", options.broker.commit_queue.in_flight_bytes_max,
      "Publishes that are not answered yet, of all callers, in bytes; what is more by itself (a "
      "large event, or what a message of PublishEvents has for one session) goes when nothing else "
      "is in flight");
  Add(app, "publish_stream_bytes_max", options.session_service.publish_stream_bytes_max,
      "Publishes that are not answered yet, of one PublishEvents stream, in bytes");
  Add(app, "commit_interval_us", options.broker.commit_queue.interval_us,
      "From one group of events that is made durable to the next, where many are published, in "
      "microseconds");
  Add(app, "write_interval_us", options.write_interval_us,
      "From one write of a stream of events or outcomes to the next; what comes meanwhile goes with "
      "it, in microseconds");
  Add(app, "stop_grace_ms", options.stop_grace_ms,
      "How long what was accepted may take to be answered after SIGTERM, in milliseconds");
}

}  // namespace sessioncast::control
