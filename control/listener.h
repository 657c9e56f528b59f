// The listening sockets of a server, and the thread that accepts.
//
// Our own, and not gRPC's: so that localhost is both loopback addresses on one port that the system
// may pick, so that a second server on a port fails, and since gRPC 1.51 never accepts again after
// it once ran out of file descriptors. Threads: made, started and stopped by one; `accepted` runs
// on the listener's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace sessioncast::control {

// A file descriptor, closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  int Release();

 private:
  int fd_;
};

class Listener {
 public:
  // Takes a non-blocking connection, which it owns from then on.
  using Accepted = std::function<void(int listening_fd, int fd)>;

  // "HOST:PORT"; localhost is 127.0.0.1 and ::1 (where there is IPv6), an IPv6 address is in
  // brackets. Port 0: the system picks one.
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(const std::string& address);
  ~Listener();

  uint16_t port() const { return port_; }
  // "127.0.0.1:50051", "[::1]:50051".
  const std::vector<std::string>& addresses() const { return addresses_; }

  absl::Status Start(Accepted accepted);
  void Stop();
  // After Stop: ends the connections that it had accepted and that are still open, under whoever
  // owns them: what waits to be written to one fails.
  void EndConnections() const;

 private:
  Listener() = default;

  absl::Status BindAll(const std::vector<std::string>& hosts, uint16_t port);
  absl::Status BindOne(const std::string& host, uint16_t port);
  void Run();
  void Accept(int listening_fd);
  // Out of descriptors: takes one connection with the spare one and closes it, so that it does not
  // wait for ever.
  void Shed(int listening_fd);

  std::vector<Descriptor> sockets_;
  std::vector<std::string> addresses_;
  uint16_t port_ = 0;
  Descriptor stop_;
  Descriptor spare_;
  Accepted accepted_;
  std::thread thread_;
};

}  // namespace sessioncast::control
