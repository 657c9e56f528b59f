// An edge, or what stands before edges: its port, readiness, a socket over each transport, the
// origin of a page, how long an idle connection is left alone.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/daemon/version.h"
#include "tools/sessioncast/doctor.h"

namespace sessioncast::tool {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Transport = SocketProbe::Transport;

constexpr uint64_t kPingIntervalMsMax = 300'000;

constexpr char kSticky[] =
    "requests of one client reach different edges: let the balancer keep a client at one "
    "(docs/OPERATIONS.md), or use transports: ['websocket']";

std::string WhatOfPort(const EdgeCalls& edge, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "is the host's name right? --edge=https://HOST:PORT";
    case absl::StatusCode::kDeadlineExceeded:
      return "a firewall drops it, or the host is away";
    case absl::StatusCode::kUnauthenticated:
      return "browsers will refuse it too, unless they know its CA: --edge_ca tells it to this tool";
    case absl::StatusCode::kInternal:
      return edge.address.is_tls ? "is it http:// rather than https://? Edges speak plain HTTP; TLS "
                                   "is a proxy's"
                                 : "is it https:// rather than http://?";
    default:
      return "nothing listens there: start an edge (`sessioncast serve`, or `systemctl start "
             "sessioncast-edge`), or say where one is by --edge. By default it listens on loopback "
             "only (its --http_listen)";
  }
}

bool CheckPort(const EdgeCalls& edge, Report& report) {
  report.Trying("port");
  const auto begin = Clock::now();
  const auto connection = WebConnection::Open(edge.address, edge.limits);
  if (!connection.ok()) {
    report.Bad("port", connection.status().message(), WhatOfPort(edge, connection.status()));
    return false;
  }
  report.Good("port", absl::StrCat("open", edge.address.is_tls ? ", certificate trusted" : "", ", ",
                                   InMs(Clock::now() - begin)));
  return true;
}

bool CheckReady(const EdgeCalls& edge, Report& report) {
  report.Trying("ready");
  const auto response = edge.Get("/readyz");
  if (!response.ok()) {
    report.Bad("ready", response.status().message(), WhatOfPort(edge, response.status()));
    return false;
  }
  const json body = ParseLeniently(response->body);
  const std::string seen =
      absl::StrCat("/readyz ", response->code, " ", edge.Excerpt(response->body));
  if (!body.is_object() || !body.contains("ready")) {
    // A proxy may pass /socket.io/ alone.
    report.Doubt("ready", seen, "no edge answers here: does the proxy pass /readyz and /api to it?");
    return true;
  }
  if (Field(body, "draining", false)) {
    report.Bad("ready", seen, "it is being stopped");
  } else if (response->code != 200) {
    report.Bad("ready", seen,
               "it has not reached control yet: look at its --control, at the network between "
               "them, at its token (verb attach), and at its log");
  } else if (Field<std::string>(body, "control", "") != "attached") {
    report.Bad("ready", seen,
               "it has lost control: its sockets stay and get nothing until it is back");
  } else {
    report.Good("ready", "control is attached");
  }
  return true;
}

void CheckVersion(const EdgeCalls& edge, Report& report) {
  const auto response = edge.Get("/healthz");
  if (!response.ok() || response->code != 200) return;
  const json body = ParseLeniently(response->body);
  const std::string version = Field<std::string>(body, "version", "");
  if (version == daemon::Version()) return report.Good("version", "edge " + version);
  report.Doubt("version", version.empty() ? "the edge does not say" : "edge " + version,
               absl::StrCat("this tool is ", std::string(daemon::Version()),
                            ": bring all to one version, control first"));
}

// What to do about a socket that did not come about.
std::string WhatOfSocket(const EdgeCalls& edge, Way way, const absl::Status& status) {
  const absl::string_view message = status.message();
  if (absl::IsPermissionDenied(status)) {
    return edge.auth.contains("token")
               ? "the edge does not take the token: expired, of another key, or without the verb "
                 "view; its log says which"
               : "give it a token with the verb view: --token_file (browsers: io(url, {auth: "
                 "{token}}))";
  }
  if (absl::StrContains(message, "Session ID unknown")) return kSticky;
  if (absl::StrContains(message, "answered by 403")) {
    return "something before the edge refuses it: this tool sends no origin, which edges allow";
  }
  if (absl::StrContains(message, "answered by 429") || absl::StrContains(message, "answered by 503"))
    return "the edge is at a limit (connections of an address, or in all), or is being stopped";
  if (way != Way::kPolling && absl::IsFailedPrecondition(status)) {
    return "a proxy does not pass websocket: let it forward Upgrade and Connection "
           "(docs/OPERATIONS.md has nginx and HAProxy). Until then stock clients fall back to "
           "polling only if it is among their transports";
  }
  if (absl::IsDeadlineExceeded(status)) {
    return "something between holds the answer back: a proxy that buffers (nginx: proxy_buffering "
           "off)";
  }
  return "does the proxy pass /socket.io/ to the edge?";
}

std::string Shown(const json& handshake) {
  return absl::StrCat("a ping each ", Field(handshake, "pingInterval", uint64_t{0}) / 1000, " s, gone after ",
                      Field(handshake, "pingTimeout", uint64_t{0}) / 1000, " s more, a message at most ",
                      Field(handshake, "maxPayload", uint64_t{0}), " bytes");
}

absl::Status Reach(SocketProbe& probe, const EdgeCalls& edge, Way way) {
  const Transport first = way == Way::kWebsocket ? Transport::kWebsocket : Transport::kPolling;
  if (absl::Status status = probe.Open(first, edge.auth); !status.ok()) return status;
  if (way == Way::kUpgrade) {
    if (absl::Status status = probe.Upgrade(); !status.ok()) return status;
  }
  return probe.NextOf("connected", edge.limits.step).status();
}

void CheckSocket(const EdgeCalls& edge, Way way, std::vector<OpenSocket>& sockets,
                 Report& report) {
  const std::string name(NameOf(way));
  report.Trying(name);
  auto probe = std::make_unique<SocketProbe>(edge.address, edge.limits);
  const auto begin = Clock::now();
  const absl::Status status = Reach(*probe, edge, way);
  const std::string time = InMs(Clock::now() - begin);
  if (!status.ok()) {
    return report.Bad(name, edge.Excerpt(status.message()), WhatOfSocket(edge, way, status));
  }
  report.Good(name, way == Way::kUpgrade
                        ? absl::StrCat("from polling to websocket, ", time)
                        : absl::StrCat("connected, ", time, "; ", Shown(probe->handshake())));
  sockets.push_back({&edge, way, std::move(probe)});
}

void CheckOrigin(const EdgeCalls& edge, const std::string& origin, Report& report) {
  if (origin.empty()) {
    return report.Skip("origin", "--origin=https://YOUR.PAGE tells whether a page of yours may connect");
  }
  report.Trying("origin");
  const auto response = edge.Get("/socket.io/?EIO=4&transport=polling", {{"Origin", origin}});
  if (!response.ok()) return report.Bad("origin", response.status().message(), "as above");
  const std::string advice =
      absl::StrCat("name it in the edge's --cors_origins (all of yours, comma-separated): ", origin);
  if (response->code != 200) {
    return report.Bad("origin",
                      absl::StrCat(origin, " is answered by ", response->code, " ",
                                   edge.Excerpt(response->body)),
                      response->code == 403 ? advice : "does it get through without an origin?");
  }
  if (response->allow_origin != origin && response->allow_origin != "*") {
    return report.Bad("origin",
                      absl::StrCat(origin, " may connect, but the answer says Access-Control-Allow-"
                                           "Origin: '",
                                   response->allow_origin, "', which a browser refuses"),
                      "a proxy changes the header: let it pass as the edge sends it");
  }
  report.Good("origin", absl::StrCat("a page of ", origin, " may connect"));
}

// A connection on which only pings pass.
void Hold(const EdgeCalls& edge, milliseconds hold, Way way, Report& report) {
  const std::string name(NameOf(way));
  report.Trying(absl::StrCat(name, ", for ", hold.count() / 1000, " s"));
  SocketProbe probe(edge.address, edge.limits);
  absl::Status status = Reach(probe, edge, way);
  if (!status.ok()) return report.Skip(name, "does not connect");
  const uint64_t interval_ms =
      std::min(Field(probe.handshake(), "pingInterval", uint64_t{25'000}), kPingIntervalMsMax);
  const milliseconds patience = milliseconds(interval_ms) + edge.limits.step;
  const auto begin = Clock::now();
  int pings = 0;
  while (status.ok() && Clock::now() - begin < hold) {
    status = probe.AwaitPing(patience);
    pings += status.ok() ? 1 : 0;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
  if (status.ok()) {
    return report.Good(name, absl::StrCat("stands after ", seconds.count(), " s and ", pings,
                                          pings == 1 ? " ping" : " pings"));
  }
  report.Bad(name, absl::StrCat("after ", seconds.count(), " s: ", std::string(status.message())),
             "something between closes idle connections sooner than the pings come: raise its "
             "timeout (nginx: proxy_read_timeout), or lower the edge's --ping_interval_ms");
}

}  // namespace

std::string_view NameOf(Way way) {
  switch (way) {
    case Way::kPolling:
      return "polling";
    case Way::kWebsocket:
      return "websocket";
    case Way::kUpgrade:
      break;
  }
  return "upgrade";
}

std::vector<OpenSocket> CheckEdge(const DoctorOptions& options, const EdgeCalls& edge,
                                  Report& report) {
  std::vector<OpenSocket> sockets;
  if (!CheckPort(edge, report) || !CheckReady(edge, report)) {
    report.Skip("sockets", "nothing answers");
    return sockets;
  }
  CheckVersion(edge, report);
  for (const Way way : {Way::kPolling, Way::kWebsocket, Way::kUpgrade}) {
    CheckSocket(edge, way, sockets, report);
  }
  CheckOrigin(edge, options.origin, report);
  return sockets;
}

void CheckIdle(const DoctorOptions& options, const EdgeCalls& edge, Report& report) {
  Hold(edge, options.hold, Way::kWebsocket, report);
  Hold(edge, options.hold, Way::kPolling, report);
}

}  // namespace sessioncast::tool
