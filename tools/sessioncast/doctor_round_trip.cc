// From a publish to the sockets: all events, in order, how fast; what was missed while away; the
// same by REST.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/sessioncast/doctor.h"

namespace sessioncast::tool {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kEvents = 10;
constexpr char kEventName[] = "doctor";

// A socket that is subscribed, and what came to it.
struct Reader {
  OpenSocket* socket;
  std::string name;  // with its edge
  std::string offset = {};
  uint64_t sequence = 0;
  std::vector<Clock::duration> latencies = {};
  absl::Status status = {};
};

v1::Event EventOf(const std::string& session_id, int number) {
  v1::Event event;
  event.set_session_id(session_id);
  event.mutable_custom()->set_name(kEventName);
  (*event.mutable_custom()->mutable_data()->mutable_fields())["number"].set_number_value(number);
  return event;
}

absl::Status Subscribe(const std::string& session_id, Reader& reader) {
  SocketProbe& probe = *reader.socket->probe;
  if (absl::Status status = probe.Emit("subscribe", session_id); !status.ok()) return status;
  return probe.NextOf("subscribed", reader.socket->edge->limits.step).status();
}

// The next event is the one published as `sequence`.
absl::Status Take(uint64_t sequence, Reader& reader) {
  auto event = reader.socket->probe->NextOf(kEventName, reader.socket->edge->limits.step);
  if (!event.ok()) return event.status();
  const uint64_t came = event->payload.is_object() ? event->payload.value("sequence", uint64_t{0}) : 0;
  if (came != sequence) {
    return absl::DataLossError(absl::StrCat("#", sequence, " was published, #", came, " came"));
  }
  reader.sequence = came;
  if (!event->offset.empty()) reader.offset = event->offset;
  return absl::OkStatus();
}

std::vector<Reader> SubscribeAll(const std::string& session_id, std::vector<OpenSocket>& sockets,
                                 Report& report) {
  std::vector<Reader> readers;
  for (OpenSocket& socket : sockets) {
    Reader reader{.socket = &socket, .name = absl::StrCat(socket.name, " at ", socket.edge->url)};
    const absl::Status status = Subscribe(session_id, reader);
    if (status.ok()) {
      readers.push_back(std::move(reader));
    } else {
      report.Bad("subscribe", absl::StrCat(reader.name, ": ", std::string(status.message())),
                 absl::IsPermissionDenied(status)
                     ? "the token must cover the session (--session_id) and have the verb view"
                     : "the edge's log says what it did with the socket");
    }
  }
  return readers;
}

// Publishes one and waits for it at each reader that goes well.
absl::Status PublishOne(const DoctorOptions& options, Client& client, int number,
                        std::vector<Reader>& readers) {
  const auto begin = Clock::now();
  const auto published = client.Publish(EventOf(options.session_id, number), "");
  if (!published.ok()) return published.status();
  for (Reader& reader : readers) {
    if (!reader.status.ok()) continue;
    reader.status = Take(published->position().sequence(), reader);
    reader.latencies.push_back(Clock::now() - begin);
  }
  return absl::OkStatus();
}

void TellReaders(std::vector<Reader>& readers, Report& report) {
  for (Reader& reader : readers) {
    if (!reader.status.ok()) {
      report.Bad("deliver", absl::StrCat(reader.name, ": ", std::string(reader.status.message())),
                 absl::IsDeadlineExceeded(reader.status)
                     ? "is the edge attached to this control (its --control)? By polling: does a "
                       "proxy buffer answers (nginx: proxy_buffering off)?"
                     : "events must come in order: tell us, with the log of edge and control");
      continue;
    }
    std::sort(reader.latencies.begin(), reader.latencies.end());
    report.Good("deliver", absl::StrCat(reader.name, ": ", kEvents, " events in order, median ",
                                        InMs(reader.latencies[kEvents / 2]), ", slowest ",
                                        InMs(reader.latencies.back())));
  }
}

// Leaves as a network that fails, misses an event, comes back as a stock client does.
absl::Status ComeBack(const DoctorOptions& options, Client& client, Reader& reader) {
  SocketProbe& probe = *reader.socket->probe;
  json auth = reader.socket->edge->auth;
  auth["pid"] = probe.connected().value("pid", "");
  auth["offset"] = reader.offset;
  probe.Drop();
  const auto published = client.Publish(EventOf(options.session_id, kEvents + 1), "");
  if (!published.ok()) return published.status();
  if (absl::Status status = probe.Open(reader.socket->transport, auth); !status.ok()) return status;
  if (probe.connected().value("pid", "") != auth["pid"])
    return absl::NotFoundError("it came back as a new client: not recovered");
  return Take(published->position().sequence(), reader);
}

void CheckRecovery(const DoctorOptions& options, Client& client, std::vector<Reader>& readers,
                   Report& report) {
  const auto reader = std::find_if(readers.begin(), readers.end(), [](const Reader& candidate) {
    return candidate.status.ok() && candidate.socket->name != "upgraded" &&
           candidate.socket->transport == SocketProbe::Transport::kWebsocket;
  });
  if (reader == readers.end()) return report.Skip("recovery", "no websocket that gets events");
  report.Trying("recovery");
  const absl::Status status = ComeBack(options, client, *reader);
  if (!status.ok()) {
    return report.Bad("recovery", absl::StrCat(reader->name, ": ", std::string(status.message())),
                      "do all edges attach to one control, and run one version? Is recovery on?");
  }
  report.Good("recovery", "after a drop it went on where it was, the event between included");
}

void CheckRest(const DoctorOptions& options, const EdgeCalls& edge, uint64_t sequence,
               Report& report) {
  report.Trying("REST");
  const auto response = edge.Get("/api/wizard/session/" + options.session_id);
  if (!response.ok()) {
    return report.Bad("REST", absl::StrCat(edge.url, ": ", std::string(response.status().message())),
                      "does the proxy pass /api/wizard/ to the edge?");
  }
  const json body = json::parse(response->body, nullptr, /*allow_exceptions=*/false);
  const uint64_t said = body.is_object() ? body.value("sequence", uint64_t{0}) : 0;
  if (response->code == 200 && said >= sequence) {
    return report.Good("REST", absl::StrCat(edge.url, ": the session, at #", said));
  }
  report.Bad("REST", absl::StrCat(edge.url, " answers ", response->code, " ",
                                  response->body.substr(0, 200)),
             response->code == 401 || response->code == 403
                 ? "the token must cover the session and have the verb view"
                 : "does the proxy pass /api/wizard/ to the edge?");
}

absl::Status EndSession(const DoctorOptions& options, Client& client) {
  v1::Event event;
  event.set_session_id(options.session_id);
  event.mutable_completed()->mutable_result();
  return client.Publish(event, "").status();
}

}  // namespace

void CheckRoundTrip(const DoctorOptions& options, Client& client, std::vector<OpenSocket>& sockets,
                    Report& report) {
  std::vector<Reader> readers = SubscribeAll(options.session_id, sockets, report);
  report.Trying("publish");
  for (int number = 1; number <= kEvents; ++number) {
    if (absl::Status status = PublishOne(options, client, number, readers); !status.ok()) {
      const bool is_about_token =
          absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
      return report.Bad("publish", status.message(),
                        is_about_token ? "the token must cover the session (--session_id) and have "
                                         "the verb publish"
                                       : "control's log says why; is its disk full?");
    }
  }
  report.Good("publish", absl::StrCat(kEvents, " events are stored"));
  if (readers.empty()) return report.Skip("deliver", "no socket stands that is subscribed");
  TellReaders(readers, report);
  CheckRecovery(options, client, readers, report);
  const EdgeCalls* asked = nullptr;
  for (const Reader& reader : readers) {
    if (reader.socket->edge == asked) continue;
    asked = reader.socket->edge;
    CheckRest(options, *asked, kEvents, report);
  }
  if (const absl::Status status = EndSession(options, client); !status.ok()) {
    report.Doubt("end", status.message(), "the session is left open; it expires by itself");
  }
}

}  // namespace sessioncast::tool
