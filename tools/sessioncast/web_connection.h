// HTTP and WebSocket to an edge, or to what stands before it, as `doctor` tries them: one
// connection, blocking, each step with its time limit (but for what the system takes to look up a
// name).
//
// The code of an error says which step failed: NOT_FOUND, the host's name; UNAVAILABLE, the port, or
// the peer closed; DEADLINE_EXCEEDED, nothing came in time; UNAUTHENTICATED, TLS does not trust the
// certificate; INTERNAL, what came is not TLS or not HTTP. After one the connection is of no use.
// Threads: one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sessioncast::tool {

struct WebAddress {
  bool is_tls = false;
  std::string host;  // an IPv6 address: without brackets
  std::string port;

  // "localhost:3000", "[::1]:3000"; as the field Host has it: without the port that is the
  // scheme's own.
  std::string HostField() const;
};

// "https://HOST[:PORT]"; INVALID_ARGUMENT if it is anything else, or has a path.
absl::StatusOr<WebAddress> ParseUrl(std::string_view url);

// "HOST:PORT", as gRPC's targets are.
absl::StatusOr<WebAddress> ParseHostPort(std::string_view text);

struct WebLimits {
  std::chrono::milliseconds step{5'000};
  size_t body_bytes_max = 1024 * 1024;  // of an answer; of a message
  std::string ca_file;  // beside those that the system trusts
};

using WebFields = std::vector<std::pair<std::string, std::string>>;

struct WebRequest {
  std::string method = "GET";
  std::string target = "/";
  WebFields fields = {};
  std::string body = {};
};

struct WebResponse {
  int code = 0;
  std::string allow_origin;  // Access-Control-Allow-Origin
  std::string body;
};

class WebConnection {
 public:
  static absl::StatusOr<std::unique_ptr<WebConnection>> Open(const WebAddress& address,
                                                             const WebLimits& limits);
  virtual ~WebConnection() = default;

  // `patience`: until the answer is there.
  virtual absl::StatusOr<WebResponse> Ask(const WebRequest& request,
                                          std::chrono::milliseconds patience) = 0;
  // To a websocket: code 101; else what the peer answered.
  virtual absl::StatusOr<WebResponse> Upgrade(const WebRequest& request) = 0;
  // A text message.
  virtual absl::Status Send(std::string_view text) = 0;
  virtual absl::StatusOr<std::string> Receive(std::chrono::milliseconds patience) = 0;
};

}  // namespace sessioncast::tool
