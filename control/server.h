// A control server: store, broker, services, and the gRPC server around them, wired in order.
//
// Threads: started and stopped by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/access.h"
#include "control/attach_stream.h"
#include "control/broker.h"
#include "control/rocksdb_store.h"
#include "control/session_service.h"
#include "control/tls.h"
#include "tools/access/flags.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace sessioncast::control {

struct ServerOptions {
  // localhost is 127.0.0.1 and ::1; port 0: the system picks one.
  std::string grpc_listen = "localhost:50051";
  TlsOptions tls;
  access::Options access;
  // What HTTP/2 tells a client of; one that does not listen can do more.
  int concurrent_streams_max = 100'000;  // of one connection
  int metadata_bytes_max = 16 * 1024;    // of one call
  // rocksdb:DIRECTORY or memory.
  std::string store = "rocksdb:./sessioncast-data";
  // After the disk was full: free, before events are appended again.
  uint64_t store_free_bytes_min = 128 * 1024 * 1024;
  size_t memory_store_bytes_max = size_t{1024} * 1024 * 1024;
  BrokerOptions broker;
  SessionServiceOptions session_service;
  AttachStreamOptions attach;
  // Of an Attach or PublishEvents stream: from one write to the next.
  int64_t write_interval_us = 250;
  int receive_message_bytes_max = 2 * 1024 * 1024;
  // How long Stop lets publishes be stored and answers leave, before it cuts connections.
  int64_t stop_grace_ms = 500;
};

class Server {
 public:
  // INVALID_ARGUMENT names the flag: a file that cannot be used, or an address that other machines
  // reach though nobody is asked who they are.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options);
  ~Server();

  uint16_t port() const;
  // "127.0.0.1:50051", "[::1]:50051".
  std::vector<std::string> addresses() const;
  // To this server without a network; whoever has it is asked for no token. Valid until Stop.
  std::shared_ptr<grpc::Channel> InProcessChannel();
  // Reads the keys of tokens again. If one cannot be used, all stays as it was.
  absl::Status ReloadKeys();
  // By any thread; not during Stop, nor after it.
  BrokerCounts counts() const;

  // Not serving (health), accepts nothing more, answers what was accepted, ends the streams as
  // UNAVAILABLE, closes the store. Once.
  void Stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace sessioncast::control
