// The listening sockets of a server, on one I/O thread.
//
// Threads: Bind before the I/O thread starts; the rest on that thread.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/io_thread.h"

namespace sessioncast::engineio {

class Listener {
 public:
  // `send_buffer_bytes`: of each TCP connection (SO_SNDBUF); 0: as the system has it.
  Listener(IoThread& thread, int send_buffer_bytes, std::function<void(TcpArrival)> accept);
  ~Listener();

  // `address`: HOST:PORT, [IPV6]:PORT; localhost: both families on one port, or the one that the
  // machine has.
  absl::Status Bind(const std::string& address);
  void Start();
  void Close();

  std::vector<std::string> addresses() const { return addresses_; }
  uint16_t port() const { return port_; }
  size_t open_sockets() const { return sockets_.size(); }

 private:
  struct Socket;
  absl::Status BindLocalhost(uint16_t port);
  absl::Status BindNamed(const std::string& host, const std::string& port);
  absl::Status Open(const sockaddr* address, socklen_t size);
  void WaitFor(Socket& socket);
  void AcceptAll(Socket& socket);
  void ReadFirst(TcpArrival& arrival);
  // False if there is no descriptor for the next one.
  bool AcceptSome(Socket& socket, std::vector<TcpArrival>& arrivals);

  IoThread& thread_;
  const int send_buffer_bytes_;
  std::function<void(TcpArrival)> accept_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::vector<std::string> addresses_;
  uint16_t port_ = 0;
};

}  // namespace sessioncast::engineio
