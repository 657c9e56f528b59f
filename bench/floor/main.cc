// bench_floor: the raw limits that a server of this kind is held to. See bench/README.md.
#include "CLI/CLI.hpp"
#include "bench/floor/floor.h"
#include "bench/load/stamp.h"
#include "tools/daemon/lock_checks.h"
#include "tools/daemon/one_poller.h"

namespace sessioncast::bench {
namespace {

int Main(int argc, char** argv) {
  daemon::LeaveOutLockChecks();  // as the servers that are measured
  CLI::App app("The raw limits.", "bench_floor");
  app.require_subcommand(1);
  FloorFanoutOptions fanout;
  CLI::App* fanout_command = app.add_subcommand("fanout", "one send() a delivery, plain epoll");
  fanout_command->add_option("--rate", fanout.rate, "events a second")->check(CLI::PositiveNumber);
  fanout_command->add_option("--burst", fanout.burst, "events of a session at one time")
      ->check(CLI::Range(1, 10'000));
  fanout_command->add_option("--payload_bytes", fanout.text_bytes, "of an event's text")
      ->check(CLI::Range(kStampBytes, size_t{60'000}));
  CLI::App* grpc_command = app.add_subcommand("grpc", "a SessionService that does nothing");
  FdatasyncOptions fdatasync;
  double seconds = 3;
  CLI::App* fdatasync_command = app.add_subcommand("fdatasync", "the disk alone");
  fdatasync_command->add_option("--directory", fdatasync.directory, "on the disk")->required();
  fdatasync_command->add_option("--seconds", seconds, "how long");
  fdatasync_command->add_option("--bytes", fdatasync.bytes, "a write");
  CLI11_PARSE(app, argc, argv);
  fdatasync.duration = std::chrono::duration<double>(seconds);
  if (fanout_command->parsed()) return ServeFanout(fanout);
  const daemon::OnePoller one_poller;
  if (grpc_command->parsed()) return ServeGrpc();
  return MeasureFdatasync(fdatasync);
}

}  // namespace
}  // namespace sessioncast::bench

int main(int argc, char** argv) { return sessioncast::bench::Main(argc, argv); }
