// Who receives what arrives on a connection.
//
// Threads: called on the connection's I/O thread only.
// Invariants: OnClose is called once, and nothing after it.
#pragma once

#include <string_view>

#include "edge/engineio/disconnect_reason.h"

namespace sessioncast::engineio {

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  virtual void OnText(std::string_view text) = 0;
  virtual void OnBinary(std::string_view bytes) = 0;
  // The queue is as short as Connection::AwaitDrain was told.
  virtual void OnDrained() = 0;
  virtual void OnClose(DisconnectReason reason) = 0;
};

}  // namespace sessioncast::engineio
