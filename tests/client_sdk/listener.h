// Control's port, without control: a socket at which nobody listens yet, and then somebody who
// speaks as much HTTP/2 as it takes to tell that a client is connected. No gRPC: a server of it in
// this process would poll for the client, too.
//
// Blocking, with a deadline. Threads: one test's.
#pragma once

#include <chrono>
#include <string>

namespace sessioncast::tests {

class Listener {
 public:
  // Connections are refused.
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string address() const;
  // Listens, and sends our SETTINGS to whoever connects. True when a client has acknowledged them:
  // it has read from its connection, and holds it for one. False: none has in time.
  bool AwaitClient(std::chrono::milliseconds patience);

 private:
  const int listening_;
};

}  // namespace sessioncast::tests
