// A plain HTTP request and its reply, as the I/O threads hand them to whoever answers requests that
// are not Engine.IO's.
//
// Threads: a request is handled on the I/O thread that owns its TCP connection; its HttpReply may
// be called once, on that thread, then or later.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sessioncast::engineio {

class IoThread;

using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The value of the first field with this name (ASCII case ignored); empty if there is none.
std::string_view FindField(const HttpFields& fields, std::string_view name);

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // as sent: "/path?query"
  std::string path;    // up to the '?', not decoded
  HttpFields query;    // decoded as application/x-www-form-urlencoded, in order
  HttpFields headers;  // in order, names as sent
  std::string body;
  std::string remote_address;  // "127.0.0.1", without port
};

struct HttpResponse {
  unsigned status = 200;
  HttpFields headers;  // besides Content-Length, Connection and CORS, which the I/O thread sets
  std::string body;
};

// Answers the request; calls after the first are ignored, and so is one that never came when the
// client left.
using HttpReply = std::function<void(HttpResponse)>;

// On the I/O thread that owns the connection.
using HttpHandler =
    std::function<void(IoThread& thread, const HttpRequest& request, HttpReply reply)>;

}  // namespace sessioncast::engineio
