// bench_load: real connections and real publishers, to measure any server that speaks Socket.IO and
// SessionService. See bench/README.md.
#include <arpa/inet.h>
#include <netdb.h>

#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "bench/load/runs.h"
#include "bench/load/stamp.h"
#include "tools/daemon/descriptors.h"
#include "tools/daemon/lock_checks.h"
#include "tools/daemon/one_poller.h"

namespace sessioncast::bench {
namespace {

sockaddr_in ToAddress(const std::string& host_and_port) {
  const size_t colon = host_and_port.rfind(':');
  if (colon == host_and_port.npos) throw std::runtime_error("--edge: must be HOST:PORT");
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host_and_port.substr(0, colon).c_str(),
                                host_and_port.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error(absl::StrCat("--edge=", host_and_port, ": ", gai_strerror(error)));
  }
  const sockaddr_in address = *reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  freeaddrinfo(found);
  return address;
}

struct Flags {
  std::string edge;
  double seconds = 5;
  double warm_up_s = 2;
  std::vector<pid_t> pids;

  WindowOptions Window() const {
    return {.warm_up = std::chrono::duration<double>(warm_up_s),
            .length = std::chrono::duration<double>(seconds),
            .pids = pids};
  }

  FleetOptions fleet;
  PublishOptions publish;
  ClosedLoopOptions closed_loop;
  OfferOptions offer;
  IdleOptions idle;
};

void AddFleetFlags(CLI::App& command, Flags& flags) {
  static const std::map<std::string, Transport> kTransports = {{"websocket", Transport::kWebSocket},
                                                               {"polling", Transport::kPolling}};
  command.add_option("--edge", flags.edge, "HOST:PORT of the Socket.IO server")->required();
  command.add_option("--transport", flags.fleet.transport, "websocket or polling")
      ->transform(CLI::CheckedTransformer(kTransports));
  command.add_option("--threads", flags.fleet.threads, "receiving threads")
      ->check(CLI::Range(1, 64));
}

void AddPublishFlags(CLI::App& command, Flags& flags) {
  EventSourceOptions& events = flags.publish.events;
  command.add_option("--batch", flags.publish.batch, "events a message of a stream")
      ->check(CLI::Range(1, 10'000));
  command.add_option("--payload_bytes", events.text_bytes, "of an event's text")
      ->check(CLI::Range(kStampBytes, size_t{200'000}));
  command.add_option("--seconds", flags.seconds, "that are measured");
  command.add_option("--warm_up_s", flags.warm_up_s, "seconds before them");
}

std::map<std::string, Publish> Hows() {
  return {{"unary", Publish::kUnary}, {"stream", Publish::kStream}};
}

CLI::App* AddFanout(CLI::App& app, Flags& flags) {
  static const std::map<std::string, EventKind> kEvents = {{"result", EventKind::kResult},
                                                           {"token", EventKind::kToken}};
  CLI::App* command = app.add_subcommand("fanout", "events to subscribers, in an open loop");
  EventSourceOptions& events = flags.publish.events;
  AddFleetFlags(*command, flags);
  AddPublishFlags(*command, flags);
  command->add_option("--control", flags.publish.control,
                      "HOST:PORT of the SessionService; without it nothing is published");
  command->add_option("--sessions", flags.fleet.sessions, "how many")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--subscribers", flags.fleet.subscribers, "connections a session")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--rate", events.rate, "events a second, of all sessions together")
      ->check(CLI::PositiveNumber);
  command->add_option("--burst", events.burst, "events of a session at one time")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--event", events.event, "result or token")
      ->transform(CLI::CheckedTransformer(kEvents));
  command->add_option("--publish", flags.publish.how, "unary or stream")
      ->transform(CLI::CheckedTransformer(Hows()));
  return command;
}

CLI::App* AddClosedLoop(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("publish", "publishers alone, in a closed loop");
  AddPublishFlags(*command, flags);
  command->add_option("--control", flags.publish.control, "HOST:PORT of the SessionService")
      ->required();
  command->add_option("--mode", flags.publish.how, "unary or stream")
      ->transform(CLI::CheckedTransformer(Hows()));
  command->add_option("--sessions", flags.publish.events.sessions, "how many")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--in_flight", flags.closed_loop.in_flight, "messages at one time")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--connections", flags.closed_loop.connections, "gRPC channels")
      ->check(CLI::Range(1, 1'000));
  return command;
}

CLI::App* AddOffer(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("offer", "publishers alone, in an open loop");
  AddPublishFlags(*command, flags);
  command->add_option("--control", flags.publish.control, "HOST:PORT of the SessionService")
      ->required();
  command->add_option("--mode", flags.publish.how, "unary or stream")
      ->transform(CLI::CheckedTransformer(Hows()));
  command->add_option("--sessions", flags.publish.events.sessions, "how many")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--rate", flags.publish.events.rate, "events a second")
      ->check(CLI::PositiveNumber);
  command->add_option("--connections", flags.offer.connections, "gRPC channels")
      ->check(CLI::Range(1, 1'000));
  return command;
}

CLI::App* AddIdle(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("idle", "connections that do nothing");
  AddFleetFlags(*command, flags);
  command->add_option("--sessions", flags.fleet.sessions, "how many");
  command->add_option("--connections", flags.fleet.subscribers, "of all sessions together");
  command->add_option("--rounds", flags.idle.rounds, "they come and go so often")
      ->check(CLI::Range(1, 100));
  return command;
}

nlohmann::json Fanout(Flags& flags) {
  flags.fleet.edge = ToAddress(flags.edge);
  flags.publish.events.sessions = flags.fleet.sessions;
  return RunFanout({.fleet = flags.fleet, .publish = flags.publish, .window = flags.Window()});
}

nlohmann::json ClosedLoop(Flags& flags) {
  flags.closed_loop.publish = flags.publish;
  flags.closed_loop.window = flags.Window();
  return RunClosedLoop(flags.closed_loop);
}

nlohmann::json Offer(Flags& flags) {
  flags.offer.publish = flags.publish;
  flags.offer.window = flags.Window();
  return RunOffer(flags.offer);
}

nlohmann::json Idle(Flags& flags) {
  flags.fleet.edge = ToAddress(flags.edge);
  if (flags.fleet.subscribers % flags.fleet.sessions != 0) {
    throw std::runtime_error("--connections: must be a multiple of --sessions");
  }
  flags.fleet.subscribers /= flags.fleet.sessions;
  flags.idle.fleet = flags.fleet;
  flags.idle.pids = flags.pids;
  return RunIdle(flags.idle);
}

// No run finds what another one left in a session.
void NameSessions(Flags& flags) {
  const std::string prefix = absl::StrCat("bench-", absl::Hex(NowNs()), "-");
  flags.fleet.session_prefix = flags.publish.events.session_prefix = prefix;
}

int Main(int argc, char** argv) {
  daemon::LeaveOutLockChecks();  // as the servers that are measured
  CLI::App app("Measures a server with real connections; prints one JSON object.", "bench_load");
  app.require_subcommand(1);
  Flags flags;
  const CLI::App* fanout = AddFanout(app, flags);
  const CLI::App* closed_loop = AddClosedLoop(app, flags);
  const CLI::App* offer = AddOffer(app, flags);
  AddIdle(app, flags);
  for (CLI::App* command : app.get_subcommands({})) {
    command->add_option("--pids", flags.pids, "processes of the server, whose CPU and memory count")
        ->delimiter(',');
  }
  CLI11_PARSE(app, argc, argv);
  daemon::RaiseDescriptors();
  NameSessions(flags);
  const daemon::OnePoller one_poller;
  try {
    const nlohmann::json result = fanout->parsed()        ? Fanout(flags)
                                  : closed_loop->parsed() ? ClosedLoop(flags)
                                  : offer->parsed()       ? Offer(flags)
                                                          : Idle(flags);
    std::cout << result.dump() << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "bench_load: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace sessioncast::bench

int main(int argc, char** argv) { return sessioncast::bench::Main(argc, argv); }
