// Control: its port, its health by a real call, what it says of itself.
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/daemon/version.h"
#include "tools/sessioncast/doctor.h"

namespace sessioncast::tool {
namespace {

using Clock = std::chrono::steady_clock;

// Tokens expire by each machine's clock, and people see control's times.
constexpr absl::Duration kClockDoubt = absl::Seconds(2);

std::string WhatOfPort(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "is the host's name right? --control=HOST:PORT";
    case absl::StatusCode::kDeadlineExceeded:
      return "a firewall drops it, or the host is away";
    default:
      return "nothing listens there: start control (`sessioncast serve`, or `systemctl start "
             "sessioncast-control`), or say where it is by --control. By default it listens on "
             "loopback only (its --grpc_listen)";
  }
}

bool CheckPort(const DoctorOptions& options, Report& report) {
  report.Trying("port");
  const auto address = ParseHostPort(options.target.control);
  if (!address.ok()) {
    report.Skip("port", "no HOST:PORT, but a name that gRPC may know");
    return true;
  }
  WebLimits limits;
  limits.step = options.step_timeout;
  const auto begin = Clock::now();
  const auto connection = WebConnection::Open(*address, limits);
  if (!connection.ok()) {
    report.Bad("port", connection.status().message(), WhatOfPort(connection.status()));
    return false;
  }
  report.Good("port", absl::StrCat("open, ", InMs(Clock::now() - begin)));
  return true;
}

std::string WhatOfCall(const DoctorOptions& options, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return options.target.credentials.token_file.empty()
                 ? "give it a token: --token_file (`sessioncast token` makes one)"
                 : "the token is expired, or of a key that control does not have; control's log "
                   "says which";
    case absl::StatusCode::kPermissionDenied:
      return "the token needs the verb publish";
    default:
      return options.target.credentials.ca_file.empty()
                 ? "the port is open but no gRPC answers: is it control's (50051 by default)? Does "
                   "it want TLS (--ca)?"
                 : "the port is open but no gRPC answers over TLS: has one of --ca signed its "
                   "certificate, for this name? Does it want one of yours (--cert, --key)?";
  }
}

bool CheckHealth(const DoctorOptions& options, Client& client, Report& report) {
  report.Trying("health");
  const auto begin = Clock::now();
  const absl::Status status = client.CheckHealth();
  if (!status.ok()) {
    report.Bad("health", status.message(), WhatOfCall(options, status));
    return false;
  }
  report.Good("health", absl::StrCat("SERVING, ", InMs(Clock::now() - begin)));
  return true;
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

void CheckVersion(const v1::Server& server, Report& report) {
  const absl::Duration up = ToTime(server.time()) - ToTime(server.start_time());
  const std::string seen = absl::StrCat("control ", server.version(), ", up ",
                                        absl::FormatDuration(absl::Trunc(up, absl::Seconds(1))));
  if (server.version() == daemon::Version()) return report.Good("version", seen);
  report.Doubt("version", seen,
               absl::StrCat("this tool is ", std::string(daemon::Version()),
                            ": bring both to one version, control first"));
}

void CheckClock(absl::Duration offset, Report& report) {
  const std::string seen =
      absl::StrCat("control's is ", InMs(absl::ToChronoNanoseconds(absl::AbsDuration(offset))),
                   offset < absl::ZeroDuration() ? " behind" : " ahead of", " this machine's");
  if (absl::AbsDuration(offset) < kClockDoubt) return report.Good("clock", seen);
  report.Doubt("clock", seen,
               "tokens expire by each machine's clock, people see control's: run NTP on both");
}

void TellLimits(const v1::ServerLimits& limits, Report& report) {
  const auto shown = [](uint64_t bytes) {
    constexpr uint64_t kMib = 1024 * 1024;
    return bytes % kMib == 0 ? absl::StrCat(bytes / kMib, " MiB")
                             : absl::StrCat(bytes / 1024, " KiB");
  };
  report.Good("limits",
              absl::StrCat("an event ", shown(limits.event_bytes_max()), ", a model's result ",
                           shown(limits.result_event_bytes_max()), ", a message ",
                           shown(limits.message_bytes_max()), ", publishes in flight ",
                           shown(limits.publish_in_flight_bytes_max())));
}

}  // namespace

bool CheckControl(const DoctorOptions& options, Client& client, Report& report) {
  if (!CheckPort(options, report)) {
    report.Skip("health", "the port does not open");
    return false;
  }
  if (!CheckHealth(options, client, report)) return false;
  report.Trying("version");
  const absl::Time begin = absl::Now();
  const auto server = client.GetServer();
  const absl::Time middle = begin + (absl::Now() - begin) / 2;
  if (absl::IsUnimplemented(server.status())) {
    report.Doubt("version", "control does not say", "it is older than this tool: upgrade it");
    return true;
  }
  if (!server.ok()) {
    report.Bad("version", server.status().message(), WhatOfCall(options, server.status()));
    return !absl::IsUnauthenticated(server.status());
  }
  CheckVersion(*server, report);
  CheckClock(ToTime(server->time()) - middle, report);
  TellLimits(server->limits(), report);
  return true;
}

}  // namespace sessioncast::tool
