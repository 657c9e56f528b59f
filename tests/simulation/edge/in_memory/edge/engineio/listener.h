// Takes the place of edge/engineio/listener.h in the fuzz target `connection`: TCP connections come
// when the test says so.
//
// Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "edge/engineio/http_connection.h"
#include "edge/engineio/io_loop.h"
#include "edge/engineio/io_thread.h"

namespace sessioncast::engineio {

class Listener {
 public:
  Listener(IoThread& thread, int, std::function<void(TcpArrival)> accept)
      : loop_(thread.loop()), accept_(std::move(accept)) {}
  ~Listener() { Close(); }

  absl::Status Bind(const std::string&) { return absl::OkStatus(); }
  void Start() {
    loop_.connect = [this](std::shared_ptr<Pipe> pipe) {
      TcpArrival arrival;
      arrival.descriptor = OwnedDescriptor(IoThread::Loop::Arrive(std::move(pipe)));
      arrival.remote_address = "192.0.2.1";
      accept_(std::move(arrival));
    };
  }
  void Close() { loop_.connect = nullptr; }

  std::vector<std::string> addresses() const { return {}; }
  uint16_t port() const { return 0; }
  size_t open_sockets() const { return 0; }

 private:
  IoThread::Loop& loop_;
  const std::function<void(TcpArrival)> accept_;
};

}  // namespace sessioncast::engineio
