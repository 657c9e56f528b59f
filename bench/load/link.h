// One Engine.IO connection as bytes: what to send, and which packets have come.
//
// Pure: no socket, no clock. Not thread-safe. A link that was broken stays so.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace sessioncast::bench {

enum class Transport { kWebSocket, kPolling };

class Link {
 public:
  using OnPacket = absl::FunctionRef<void(std::string_view packet)>;

  virtual ~Link() = default;

  // What comes first. `host`: for the Host header.
  virtual std::string Begin(const std::string& host) = 0;
  // Bytes that came; each packet that is whole then. False: the server broke the protocol, or
  // closes.
  virtual bool Take(std::string_view bytes, OnPacket on_packet) = 0;
  // A packet to send.
  virtual void Put(std::string_view packet) = 0;
  // What is to be sent now; "": nothing.
  virtual std::string TakeOutput() = 0;
};

std::unique_ptr<Link> MakeLink(Transport transport);

}  // namespace sessioncast::bench
