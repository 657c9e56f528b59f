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
  const uint64_t came = Field(event->payload, "sequence", uint64_t{0});
  if (came != sequence) {
    return absl::DataLossError(absl::StrCat("#", sequence, " was published, #", came, " came"));
  }
  if (!event->offset.empty()) reader.offset = event->offset;
  return absl::OkStatus();
}

std::vector<Reader> SubscribeAll(const std::string& session_id, std::vector<OpenSocket>& sockets,
                                 Report& report) {
  std::vector<Reader> readers;
  for (OpenSocket& socket : sockets) {
    const std::string_view way = socket.way == Way::kUpgrade ? "upgraded" : NameOf(socket.way);
    Reader reader{.socket = &socket,
                  .name = absl::StrCat(std::string(way), " at ", socket.edge->url)};
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

// Publishes one and waits for it at each reader that goes well. What came behind one that waited in
// vain says nothing about time.
absl::StatusOr<uint64_t> PublishOne(const DoctorOptions& options, Client& client, int number,
                                    std::vector<Reader>& readers) {
  const auto begin = Clock::now();
  const auto published = client.Publish(EventOf(options.session_id, number), "");
  if (!published.ok()) return published.status();
  bool is_timed = true;
  for (Reader& reader : readers) {
    if (!reader.status.ok()) continue;
    reader.status = Take(published->position().sequence(), reader);
    is_timed = is_timed && reader.status.ok();
    if (is_timed) reader.latencies.push_back(Clock::now() - begin);
  }
  return published->position().sequence();
}

std::string WhatOfDelivery(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) {
    return "is the edge attached to this control (its --control)? By polling: does a proxy buffer "
           "answers (nginx: proxy_buffering off)?";
  }
  if (absl::IsDataLoss(status)) {
    return "events must come in order: tell us, with the logs of edge and control";
  }
  return "the connection was lost: the edge's log says why, or what stands before it";
}

std::string InOrder(std::vector<Clock::duration>& latencies) {
  std::string text = absl::StrCat(kEvents, " events in order");
  if (latencies.empty()) return text;
  std::sort(latencies.begin(), latencies.end());
  return absl::StrCat(text, ", median ", InMs(latencies[latencies.size() / 2]), ", slowest ",
                      InMs(latencies.back()));
}

void TellReaders(std::vector<Reader>& readers, Report& report) {
  for (Reader& reader : readers) {
    if (reader.status.ok()) {
      report.Good("deliver", absl::StrCat(reader.name, ": ", InOrder(reader.latencies)));
    } else {
      report.Bad("deliver", absl::StrCat(reader.name, ": ", std::string(reader.status.message())),
                 WhatOfDelivery(reader.status));
    }
  }
}

// Leaves as a network that fails, misses an event, comes back as a stock client does.
absl::Status ComeBack(const DoctorOptions& options, Client& client, Reader& reader) {
  SocketProbe& probe = *reader.socket->probe;
  json auth = reader.socket->edge->auth;
  const std::string pid = Field<std::string>(probe.connected(), "pid", "");
  auth["pid"] = pid;
  auth["offset"] = reader.offset;
  probe.Drop();
  const auto published = client.Publish(EventOf(options.session_id, kEvents + 1), "");
  if (!published.ok()) return published.status();
  const absl::Status opened = probe.Open(SocketProbe::Transport::kWebsocket, auth);
  if (!opened.ok()) return opened;
  if (pid.empty() || Field<std::string>(probe.connected(), "pid", "") != pid)
    return absl::NotFoundError("it came back as a new client: not recovered");
  return Take(published->position().sequence(), reader);
}

void CheckRecovery(const DoctorOptions& options, Client& client, std::vector<Reader>& readers,
                   Report& report) {
  const auto reader = std::find_if(readers.begin(), readers.end(), [](const Reader& candidate) {
    return candidate.status.ok() && candidate.socket->way == Way::kWebsocket;
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
  WebFields fields;
  if (!edge.token.empty()) fields.emplace_back("Authorization", "Bearer " + edge.token);
  const auto response = edge.Get("/api/wizard/session/" + options.session_id, fields);
  if (!response.ok()) {
    return report.Bad("REST", absl::StrCat(edge.url, ": ", std::string(response.status().message())),
                      "does the proxy pass /api/wizard/ to the edge?");
  }
  const json body = ParseLeniently(response->body);
  const uint64_t said = Field(body, "sequence", uint64_t{0});
  if (response->code == 200 && said >= sequence) {
    return report.Good("REST", absl::StrCat(edge.url, ": the session, at #", said));
  }
  report.Bad("REST", absl::StrCat(edge.url, " answers ", response->code, " ",
                                  edge.Excerpt(response->body)),
             response->code == 401 || response->code == 403
                 ? "the token must cover the session and have the verb view"
                 : "does the proxy pass /api/wizard/ to the edge?");
}

// One of each edge.
void CheckRestOfEach(const DoctorOptions& options, const std::vector<Reader>& readers,
                     uint64_t sequence, Report& report) {
  std::vector<const EdgeCalls*> asked;
  for (const Reader& reader : readers) {
    const EdgeCalls* const edge = reader.socket->edge;
    if (std::find(asked.begin(), asked.end(), edge) != asked.end()) continue;
    asked.push_back(edge);
    CheckRest(options, *edge, sequence, report);
  }
}

std::string WhatOfPublish(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return "the token must cover the session (--session_id) and have the verb publish";
    case absl::StatusCode::kFailedPrecondition:
      return "this session has ended, perhaps by this tool: give another --session_id. A token can "
             "cover sessioncast-doctor-*";
    default:
      return "control's log says why; is its disk full?";
  }
}

// `stored`: the last one's sequence.
bool PublishAll(const DoctorOptions& options, Client& client, std::vector<Reader>& readers,
                uint64_t& stored, Report& report) {
  report.Trying("publish");
  for (int number = 1; number <= kEvents; ++number) {
    const auto sequence = PublishOne(options, client, number, readers);
    if (!sequence.ok()) {
      report.Bad("publish", sequence.status().message(), WhatOfPublish(sequence.status()));
      return false;
    }
    stored = *sequence;
  }
  report.Good("publish", absl::StrCat(kEvents, " events are stored"));
  return true;
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
  // Those first that are fast: each waits for those before it.
  std::stable_partition(sockets.begin(), sockets.end(), [](const OpenSocket& socket) {
    return socket.way != Way::kPolling;
  });
  std::vector<Reader> readers = SubscribeAll(options.session_id, sockets, report);
  uint64_t stored = 0;
  if (PublishAll(options, client, readers, stored, report)) {
    if (readers.empty()) report.Skip("deliver", "no socket stands that is subscribed");
    TellReaders(readers, report);
    CheckRecovery(options, client, readers, report);
    CheckRestOfEach(options, readers, stored, report);
  }
  if (stored == 0) return;
  if (const absl::Status status = EndSession(options, client); !status.ok()) {
    report.Doubt("end", status.message(), "the session is left open; it expires by itself");
  }
}

}  // namespace sessioncast::tool
