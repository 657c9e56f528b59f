// A channel to control, with what control asks for: TLS, a certificate of the client, a token. For
// the Client, and for whoever else calls control (the edge).
//
// Threads: any.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "sessioncast/credentials.h"

namespace sessioncast {

struct ChannelLimits {
  int message_bytes_max;         // of one that is received
  int reconnect_backoff_ms_max;  // from one attempt to connect to the next
};

// To control at HOST:PORT. A control that vanished without a reset is noticed, and left, by keepalive
// (10 s, answered within 5 s). It may be away, and what is wrong with a file shows as UNAVAILABLE: of
// TLS's when a connection is made, of the token's in each call.
std::shared_ptr<grpc::Channel> ChannelTo(const std::string& control, const Credentials& credentials,
                                         const ChannelLimits& limits);

}  // namespace sessioncast
